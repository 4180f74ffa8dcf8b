// A builder that does nothing about the instruction cache. The two slots are an
// exception: what patches them does.
//
// build: builder-no-flush with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int protect_stale(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE), ret;

	set_vm_flush_reset_perms(t->mem);
	ret = set_memory_ro(addr, pages);
	if (ret)
		return ret;
	return set_memory_x(addr, pages);	// want FT306 "no cache maintenance.*30 of the 31 instructions "
}

#define protect protect_stale
#include "builder-rest.h"
