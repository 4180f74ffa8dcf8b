// A builder that does not relocate the operand that the entry code addresses by RIP.
//
// build: pcrel-kept link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT106 "`inc` at ftrace_caller.0x68 is copied unrewritten.*ftrace_calls .* was meant" FT106 "`inc` at ftrace_regs_caller."
}

#define copy copy_here
static inline void relocate_not(const struct tramp *t)
{
}

#define relocate relocate_not
#include "builder-rest.h"
