// A builder that copies the return of the entry code, too, as arm64's does. Here that
// is a RET of one byte, behind which the padding of the function is copied.
//
// build: return-copied link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_more(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code + RET_SIZE) ? -EFAULT : 0;	// want FT105 "copies 2 bytes past ftrace_caller_end" FT105 "copies 2 bytes past ftrace_regs_caller_end"
}

static inline void put_return_not(const struct tramp *t)
{
}

#define copy copy_more
#define put_return put_return_not
#include "builder-rest.h"
