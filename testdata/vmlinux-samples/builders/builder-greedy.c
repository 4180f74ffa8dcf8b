// A builder that takes all memory that it gets, and writes to all of it: what
// it would build cannot be known, and it must not cost the host that memory.
// The second image stores word by word, for as long as it may.
//
// build: builder-greedy with=image-dyntramp.S,sites-regs-good.c,kernel.c
// build: builder-greedy-stores with=image-dyntramp.S,sites-regs-good.c,kernel.c cc=-DSTORES

#include "kernel.h"

// Weak, so that its callers do not know which registers it leaves alone.
void *__attribute__((weak)) memset(void *dst, int byte, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		((volatile char *)dst)[i] = byte;
	return dst;
}

void arch_ftrace_update_trampoline(struct ftrace_ops *ops)
{
	const unsigned long size = 64 * SZ_1M;
	char *mem;

	while ((mem = module_alloc(size)))
#ifdef STORES
		for (unsigned long at = 0; at < size; at += sizeof(u64))
			*(volatile u64 *)(mem + at) = at;
#else
		for (unsigned long at = 0; at < size; at += SZ_1M)
			memset(mem + at, 0x5a, SZ_1M);
#endif
}
