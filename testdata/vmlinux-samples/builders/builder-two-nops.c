// A builder that takes the graph tracer's slot for eight bytes: the second NOP
// falls on the instruction that gives back x0 and x1.
//
// build: builder-two-nops with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void clear_slots_wide(const struct tramp *t)
{
	u32 nop = aarch64_insn_gen_nop();

	put(t, t->call, nop);
	put(t, t->graph, nop);
	*(u32 *)(t->mem + t->graph + AARCH64_INSN_SIZE) = nop;	// want FT113 "x0"
}

#define clear_slots clear_slots_wide
#include "builder-rest.h"
