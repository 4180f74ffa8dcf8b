// A builder whose trampolines are freed and stay in their ops.
//
// build: builder-dangling with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define arch_ftrace_trampoline_free free_correctly
#include "builder-rest.h"
#undef arch_ftrace_trampoline_free

void arch_ftrace_trampoline_free(struct ftrace_ops *ops)
{
	if (ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP)	// want FT116 "leaves a freed trampoline in ops->trampoline"
		release((void *)ops->trampoline);
}
