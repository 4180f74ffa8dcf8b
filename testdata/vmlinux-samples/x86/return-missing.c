// A builder that copies up to the end label, and appends no return.
//
// build: return-missing link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT103 "no return behind the copy"
}

#define copy copy_here
static inline void put_return_not(const struct tramp *t)
{
}

#define put_return put_return_not
#include "builder-rest.h"
