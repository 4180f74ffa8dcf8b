// A builder that writes the literal, and leaves the load of function_trace_op.
//
// build: op-load-kept link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT108 "load of the ops reads outside.*for ftrace_regs_caller" FT108 "load of the ops reads outside.*for ftrace_caller"
}

#define copy copy_here
static inline void load_op_not(const struct tramp *t, struct ftrace_ops *ops)
{
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
}

#define load_op load_op_not
#include "builder-rest.h"
