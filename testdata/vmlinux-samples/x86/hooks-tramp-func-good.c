// The callback of a trampoline is found by the CALL in it.

#include "sites.h"
#include "sites-rest.h"

#define FTRACE_FL_REGS_EN	(1UL << 29)

/* What the CALL at an address calls, NULL if none is there. */
static void *callee(unsigned long ip)
{
	struct insn insn;

	if (copy_from_kernel_nofault(&insn, (void *)ip, CALL_SIZE) || insn.bytes[0] != 0xe8)
		return NULL;
	return (void *)(ip + CALL_SIZE + *(int *)(insn.bytes + 1));
}

void *arch_ftrace_trampoline_func(struct ftrace_ops *ops, struct dyn_ftrace *rec)
{
	unsigned long plain = ftrace_call - ftrace_caller;
	unsigned long regs = ftrace_regs_call - ftrace_regs_caller;

	if (ops && ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP)
		return callee(ops->trampoline + (ops->flags & FTRACE_OPS_FL_SAVE_REGS ? regs : plain));
	if (ops && ops->trampoline)
		return NULL;
	return callee((unsigned long)(rec->flags & FTRACE_FL_REGS_EN ? ftrace_regs_call : ftrace_call));
}
