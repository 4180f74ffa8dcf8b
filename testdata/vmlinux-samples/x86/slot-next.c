// A builder that puts the CALL of the callback behind the slot.
//
// build: slot-next link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT111 "the callback's CALL is not in the slot.*written to trampoline.0xc9" FT111 "not in the slot.*written to trampoline.0x8a"
}

#define copy copy_here
static inline void call_next(const struct tramp *t, ftrace_func_t func)
{
	put_byte(t, t->call + CALL_SIZE, 0xe8);
	put_displacement(t, t->call + CALL_SIZE + 1, (unsigned long)func);
}

#define call call_next
#include "builder-rest.h"
