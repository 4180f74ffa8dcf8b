// A builder that counts the displacement of the CALL from its start.
//
// build: slot-from-start link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline void call_from_start(const struct tramp *t, ftrace_func_t func)
{
	put_byte(t, t->call, 0xe8);
	*(u32 *)(t->mem + t->call + 1) = (unsigned long)func - (unsigned long)t->mem - t->call;	// want FT111 "CALL is not in the slot.*ftrace_caller" FT111 "CALL is not in the slot.*ftrace_regs_caller"
}

#define call call_from_start
#include "builder-rest.h"
