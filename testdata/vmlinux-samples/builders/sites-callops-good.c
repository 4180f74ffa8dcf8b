// Site functions without a defect, era callops: without landing pads, with
// them, and with both kinds of callsites in one image.
//
// build: sites-callops-good with=image-callops.S,kernel.c
// build: sites-callops-good-bti with=image-callops-bti.S,kernel.c

#include "sites-callops.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	return callops_adjust(addr);
}

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return callops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return callops_make_call(rec, addr);
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	return callops_modify_call(rec, old_addr, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	return callops_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return 0;		// the entry code asks the ops
}
