// A builder that changes the callback by a store to the read-only trampoline.
//
// build: plain-store link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline void aim_by_store(const struct tramp *t, ftrace_func_t func)
{
	unsigned long next = (unsigned long)t->mem + t->call + CALL_SIZE;

	*(u32 *)(next - 4) = (unsigned long)func - next;	// want FT305 "stores straight to read-only memory"
}

#define aim aim_by_store
#include "builder-rest.h"
