// The callback of a trampoline is looked for where a callsite's record says, not the ops.

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
{	// want FT117 "arch_ftrace_trampoline_func breaks its contract.*executed where the ops has a trampoline.*it returns NULL, 0x.* was expected"
	unsigned long plain = ftrace_call - ftrace_caller;
	unsigned long regs = ftrace_regs_call - ftrace_regs_caller;

	if (ops && ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP)
		return callee(ops->trampoline + (rec->flags & FTRACE_FL_REGS_EN ? regs : plain));
	if (ops && ops->trampoline)
		return NULL;
	return callee((unsigned long)(rec->flags & FTRACE_FL_REGS_EN ? ftrace_regs_call : ftrace_call));
}
