// A builder that leaves the branch to direct calls, which leads out of the copy.
//
// build: direct-kept link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT116 "branch to a direct call is not a NOP.*ftrace_regs_caller"
}

#define copy copy_here
static inline void no_direct_not(const struct tramp *t)
{
}

#define no_direct no_direct_not
#include "builder-rest.h"
