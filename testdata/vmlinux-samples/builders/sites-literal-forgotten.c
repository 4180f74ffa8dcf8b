// ftrace_make_call that does not store the ops: the entry code goes on to find
// ftrace_nop_ops.
//
// build: sites-literal-forgotten with=image-callops.S,kernel.c

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
	unsigned long pc = rec->ip;

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
