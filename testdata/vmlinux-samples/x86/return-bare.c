// Behind the appended return stands a NOP, through which a processor may execute ahead.
//
// build: return-bare link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static void put_return_bare(const struct tramp *t)
{
	put_byte(t, t->code, 0xc3);
	((volatile char *)t->mem)[t->code + 1] = 0x90;	// want FT116 "the byte behind the trampoline's return is not INT3"
}
#define put_return put_return_bare

#include "builder-rest.h"
