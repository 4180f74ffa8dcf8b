// A builder without a defect that resets permissions itself before it gives
// memory back.
//
// build: builder-good-free with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

// What is out of reach is found when the memory is executable already.
static bool in_reach_later(const struct tramp *t)
{
	return true;
}

static int protect_only(const struct tramp *t)
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

// What is freed is a page: no trampoline is larger.
static void release_reset(void *mem)
{
	if (WARN_ON(set_memory_nx((unsigned long)mem, 1) || set_memory_rw((unsigned long)mem, 1)))
		return;
	module_memfree(mem);
}

#define in_reach in_reach_later
#define protect protect_only
#define release release_reset
#include "builder-rest.h"
