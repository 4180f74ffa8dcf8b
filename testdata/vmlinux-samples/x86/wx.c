// A builder that makes its memory executable, and leaves it writable.
//
// build: wx link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int protect_not(const struct tramp *t)
{
	return set_memory_x((unsigned long)t->mem, DIV_ROUND_UP(t->size, PAGE_SIZE));	// want FT301 "stay writable and executable.*set_memory_x.. makes it so"
}

#define protect protect_not
#include "builder-rest.h"
