// A builder that writes a literal, but leaves the ADRP and LDR of
// function_trace_op as copied: off by as far as the copy is.
//
// build: builder-op-kept with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int load_op_not(const struct tramp *t, struct ftrace_ops *ops)
{
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	return 0;
}

static int copy_op(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))	// want FT106 "adrp" FT108 "x2"
		return -EFAULT;
	return 0;
}

#define copy copy_op
#define load_op load_op_not
#include "builder-rest.h"
