// A builder that makes its memory executable first, and read-only then.
//
// build: transient-wx link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int protect_late(const struct tramp *t)
{
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE);

	set_memory_x((unsigned long)t->mem, pages);	// want FT302 "writable and executable for a while"
	return set_memory_ro((unsigned long)t->mem, pages);
}

#define protect protect_late
#include "builder-rest.h"
