// A builder that has room for much code before its literal: more than a LDR
// reaches. It does not look at what it gets for an instruction.
//
// build: builder-literal-far with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define ARENA (2 * SZ_1M)

static void lay_out_arena(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->literal = ARENA;
	t->size = t->literal + sizeof(u64);
}

static int load_op_far(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE;
	u32 insn = aarch64_insn_gen_load_literal((unsigned long)t->mem + ldr, (unsigned long)t->mem + t->literal,
						 AARCH64_INSN_REG_2, true);

	put(t, t->op_load, aarch64_insn_gen_nop());
	*(u32 *)(t->mem + ldr) = insn;		// want FT110 "1 MiB|0x200000|reach"
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	return 0;
}

#define lay_out lay_out_arena
#define load_op load_op_far
#include "builder-rest.h"
