// ftrace_init_nop that puts the MOV where the BL belongs.
//
// build: sites-init-nop-second with=image-regs.S,kernel.c

#include "sites-nops.h"

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{				// want FT409 "ftrace_init_nop"
	return replace(rec->ip, aarch64_insn_gen_nop(), save_lr());
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
