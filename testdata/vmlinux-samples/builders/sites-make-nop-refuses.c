// ftrace_make_nop that looks for a B where ftrace_make_call put a BL, and refuses.
//
// build: sites-make-nop-refuses with=image-args.S,kernel.c

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
{				// want FT409 "ftrace_make_nop"
	unsigned long pc = rec->ip;

	if (!nops_callable(mod, pc, &addr))
		return -EINVAL;
	return replace(pc, aarch64_insn_gen_branch_imm(pc, addr, AARCH64_INSN_BRANCH_NOLINK),
		       aarch64_insn_gen_nop());
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return nops_update_func(func);
}
