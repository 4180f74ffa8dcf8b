// A builder without a defect, of entry code whose end label stands before the frame is left:
// what it builds returns to what lies in the frame.
//
// build: end-label-early link=static with=image-end-label-early.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT113 "the trampoline for ftrace_caller does not preserve.*does not come back"
}

#define copy copy_here
#include "builder-rest.h"
