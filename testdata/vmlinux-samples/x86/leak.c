// A builder that keeps its memory when the copy fails.
//
// build: leak link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT308 "memory"
}

static inline void give_up_not(void *mem)
{
}

#define copy copy_here
#define give_up give_up_not
#include "builder-rest.h"
