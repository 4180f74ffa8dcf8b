// A builder without a defect in the terms of newer kernels: memory from execmem,
// NOP a constant of the compiler's, other cache maintenance. Template and slots
// are copied and cleared in one go.
//
// build: builder-good-execmem with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define NOP 0xd503201f

static void *allocate_ftrace(unsigned long size)
{
	return execmem_alloc(EXECMEM_FTRACE, size);
}

static void clear_slots_const(const struct tramp *t)
{
	put(t, t->call, NOP);
	put(t, t->graph, NOP);
}

static int protect_rox(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE), ret;

	caches_clean_inval_pou(addr, addr + t->size);
	set_vm_flush_reset_perms(t->mem);
	ret = set_memory_ro(addr, pages);
	if (ret)
		return ret;
	return set_memory_x(addr, pages);
}

#define allocate allocate_ftrace
#define clear_slots clear_slots_const
#define protect protect_rox
#define release execmem_free
#include "builder-rest.h"
