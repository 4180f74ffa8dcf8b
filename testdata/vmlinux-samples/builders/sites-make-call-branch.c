// ftrace_make_call that writes a B: the entry code does not learn from where it
// was called.
//
// build: sites-make-call-branch with=image-regs.S,kernel.c

#include "sites-nops.h"

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return nops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{				// want FT409 "ftrace_make_call"
	unsigned long pc = rec->ip;

	if (!nops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, aarch64_insn_gen_nop(),
		       aarch64_insn_gen_branch_imm(pc, addr, AARCH64_INSN_BRANCH_NOLINK));
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
