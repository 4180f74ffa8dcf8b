// ftrace_modify_call that writes the BL that was there before.
//
// build: sites-modify-call-same with=image-regs.S,kernel.c

#include "sites-nops.h"

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return nops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return nops_make_call(rec, addr);
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{				// want FT409 "ftrace_modify_call"
	unsigned long pc = rec->ip;

	if (!nops_callable(NULL, pc, &old_addr) || !nops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, bl(pc, old_addr), bl(pc, old_addr));
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	return nops_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return nops_update_func(func);
}
