// A builder that makes its memory executable, and leaves it writable.
//
// build: builder-wx with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int protect_not(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE);

	__flush_icache_range(addr, addr + t->size);
	set_vm_flush_reset_perms(t->mem);
	return set_memory_x(addr, pages);	// want FT301 "stay writable and executable.*returns with the page at .* rwx.*set_memory_x.. makes it so"
}

#define protect protect_not
#include "builder-rest.h"
