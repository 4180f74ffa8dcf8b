// A builder that flushes what it copied, and then goes on writing.
//
// build: builder-early-flush with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int copy_and_flush(const struct tramp *t)
{
	int ret = copy(t);

	__flush_icache_range((unsigned long)t->mem, (unsigned long)t->mem + t->size);
	return ret;
}

static int protect_stale(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE), ret;

	set_vm_flush_reset_perms(t->mem);
	ret = set_memory_ro(addr, pages);
	if (ret)
		return ret;
	return set_memory_x(addr, pages);	// want FT306 "no cache maintenance.*\b3 of the 31 instructions "
}

#define copy copy_and_flush
#define protect protect_stale
#include "builder-rest.h"
