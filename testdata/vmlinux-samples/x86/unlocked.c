// A builder that patches a trampoline in use without text_mutex.
//
// build: unlocked link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"

static inline void aim_unlocked(const struct tramp *t, ftrace_func_t func)
{
	unsigned char insn[CALL_SIZE] = { 0xe8 };

	*(u32 *)(insn + 1) = (unsigned long)func - (unsigned long)t->mem - t->call - CALL_SIZE;
	text_poke_bp(t->mem + t->call, insn, CALL_SIZE, NULL);	// want FT116 "calls text_poke_bp.. without text_mutex"
}

#define aim aim_unlocked
#include "builder-rest.h"
