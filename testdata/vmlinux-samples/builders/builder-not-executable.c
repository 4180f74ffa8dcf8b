// A builder that leaves its memory as read-only data. No other rule tells.
//
// build: builder-not-executable with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int protect_data(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;

	__flush_icache_range(addr, addr + t->size);
	set_vm_flush_reset_perms(t->mem);
	return set_memory_ro(addr, DIV_ROUND_UP(t->size, PAGE_SIZE));	// want FT116 "not executable"
}

#define protect protect_data
#include "builder-rest.h"
