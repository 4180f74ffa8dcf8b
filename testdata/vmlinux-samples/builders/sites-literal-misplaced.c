// ftrace_make_call that counts words back to the literal. Where a landing pad
// stands between, that is the middle of it.
//
// build: sites-literal-misplaced with=image-callops-bti.S,kernel.c

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
{				// want FT409 "ftrace_make_call"
	unsigned long pc = rec->ip, literal = pc - 3 * AARCH64_INSN_SIZE;

	if (aarch64_insn_write_literal_u64((void *)literal, (u64)callops_of(rec)))
		return -EFAULT;
	if (!callops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, aarch64_insn_gen_nop(), bl(pc, addr));
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
