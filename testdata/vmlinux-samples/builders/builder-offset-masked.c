// A builder that has the instruction made, but puts the offset in itself: of one
// that does not fit, it takes what fits.
//
// build: builder-offset-masked with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define FIELD (BIT(19) - 1)

static int load_op_masked(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE, offset = t->literal - ldr;
	u32 insn = aarch64_insn_gen_load_literal(0, 0, AARCH64_INSN_REG_2, true);

	put(t, t->op_load, aarch64_insn_gen_nop());
	*(u32 *)(t->mem + ldr) = insn | (u32)(offset / 4 & FIELD) << 5;	// want FT603 "to 19 bits .*the offset of .ldr x2.*the range of LDR literal"
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	return 0;
}

#define load_op load_op_masked
#include "builder-rest.h"
