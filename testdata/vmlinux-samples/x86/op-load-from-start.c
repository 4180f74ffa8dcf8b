// A builder that counts the displacement of the op load from the instruction's start,
// where the processor counts from its end.
//
// build: op-load-from-start link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline void load_op_from_start(const struct tramp *t, struct ftrace_ops *ops)
{
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	*(u32 *)(t->mem + t->op_load + 3) = t->literal - t->op_load;	// want FT108 "reads outside.*ftrace_caller" FT108 "reads outside.*ftrace_regs_caller"
}

#define load_op load_op_from_start
#include "builder-rest.h"
