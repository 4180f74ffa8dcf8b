// A builder that takes fewer bits of the offset than it has: the LDR loads two
// instructions of the trampoline.
//
// build: builder-literal-masked with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define LDR_X2_LITERAL	0x58000002
#define FIELD		(BIT(3) - 1)

static int load_op_masked(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE, offset = t->literal - ldr;

	put(t, t->op_load, aarch64_insn_gen_nop());
	*(u32 *)(t->mem + ldr) = LDR_X2_LITERAL | (u32)(offset / 4 & FIELD) << 5;	// want FT110 "cut to 3 bits.*the literal is at trampoline.0x80.*loads from trampoline.0x60" FT601 "ldr.*x2" FT603 "to 3 bits .*the offset of .ldr x2.*the range of LDR literal"
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	return 0;
}

#define load_op load_op_masked
#include "builder-rest.h"
