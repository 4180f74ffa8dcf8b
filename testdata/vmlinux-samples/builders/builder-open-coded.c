// A builder that knows how LDR (literal) is encoded, and what it reaches.
//
// build: builder-open-coded with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define LDR_X2_LITERAL 0x58000002

static int load_op_coded(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE, offset = t->literal - ldr;

	if (offset % 4 || offset >= SZ_1M)
		return -ERANGE;
	put(t, t->op_load, aarch64_insn_gen_nop());
	*(u32 *)(t->mem + ldr) = LDR_X2_LITERAL | (u32)offset / 4 << 5;	// want FT601 "ldr.*x2"
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	return 0;
}

#define load_op load_op_coded
#include "builder-rest.h"
