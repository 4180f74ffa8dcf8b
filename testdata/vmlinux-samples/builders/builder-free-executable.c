// A builder that gives memory back as it is: executable, where a callback was
// found out of reach, or where the ops goes.
//
// build: builder-free-executable with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

// What is out of reach is found when the memory is executable already.
static bool in_reach_later(const struct tramp *t)
{
	return true;
}

static int protect_for_good(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE), ret;

	__flush_icache_range(addr, addr + t->size);
	ret = set_memory_ro(addr, pages);
	if (ret)
		return ret;
	ret = set_memory_x(addr, pages);
	if (ret)
		return ret;
	return in_reach(t) ? 0 : -ERANGE;
}

static void release_as_is(void *mem)
{
	module_memfree(mem);			// want FT307 "module_memfree.. frees .* while it is r-x"
}

#define in_reach in_reach_later
#define protect protect_for_good
#define release release_as_is
#include "builder-rest.h"
