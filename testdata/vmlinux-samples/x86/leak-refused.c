// The builder refuses entry code whose op load it does not know, and keeps the memory.
//
// build: leak-refused link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline void *allocate_here(unsigned long size)
{
	return execmem_alloc(EXECMEM_FTRACE, size);	// want FT308 "the builder leaves memory behind when it fails.*an unexpected word in a slot"
}
#define allocate allocate_here

static int refused;

static int copy_known(const struct tramp *t)
{
	if (copy(t))
		return -EFAULT;
	refused = (*(u32 *)(t->mem + t->op_load) & 0xffffff) != 0x158b48;
	return refused ? -EINVAL : 0;
}
#define copy copy_known

static void give_up_not(void *mem)
{
	if (!refused)
		release(mem);
}
#define give_up give_up_not

#include "builder-rest.h"
