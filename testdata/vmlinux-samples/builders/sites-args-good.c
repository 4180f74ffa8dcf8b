// Site functions without a defect, era args, with an ftrace_call_adjust.
//
// build: sites-args-good with=image-args.S,kernel.c
// build: sites-args-good-ssp cc=-fstack-protector-strong with=image-args.S,kernel.c

#include "sites-nops.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	return nops_adjust(addr);
}

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return nops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return nops_make_call(rec, addr);
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	return nops_modify_call(rec, old_addr, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	return nops_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return nops_update_func(func);
}
