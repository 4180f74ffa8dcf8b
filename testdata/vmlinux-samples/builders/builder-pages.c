// A builder that counts one page too many.
//
// build: builder-pages with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int protect_more(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = t->size / PAGE_SIZE + 2, ret;

	__flush_icache_range(addr, addr + t->size);
	set_vm_flush_reset_perms(t->mem);
	ret = set_memory_ro(addr, pages);		// want FT116 "set_memory_ro.. for memory that it has not allocated.*for 0x(2|8|20)000 bytes"
	if (ret)
		return ret;
	return set_memory_x(addr, pages);		// want FT116 "set_memory_x.. for memory that it has not allocated.*for 0x(2|8|20)000 bytes"
}

#define protect protect_more
#include "builder-rest.h"
