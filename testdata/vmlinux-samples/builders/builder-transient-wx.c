// A builder that makes its memory executable, and then read-only.
//
// build: builder-transient-wx with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int protect_late(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE), ret;

	__flush_icache_range(addr, addr + t->size);
	set_vm_flush_reset_perms(t->mem);
	ret = set_memory_x(addr, pages);	// want FT302 "rwx from set_memory_x.. here until set_memory_ro.., 1 call later"
	if (ret)
		return ret;
	return set_memory_ro(addr, pages);
}

#define protect protect_late
#include "builder-rest.h"
