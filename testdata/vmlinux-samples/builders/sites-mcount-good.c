// Site functions without a defect, era mcount. There is no ftrace_init_nop and
// no ftrace_modify_call; ftrace_call_adjust, inlined in a kernel, is here.
//
// build: sites-mcount-good with=image-mcount.S,kernel.c

#include "sites-mcount.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	return addr;		// the table names the BL
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return mcount_make_call(rec, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	return mcount_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return mcount_update_func(func);
}
