// A builder that puts the literal right behind the code, which for ftrace_caller
// is an odd number of words.
//
// build: builder-literal-unaligned with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void lay_out_tight(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->literal = t->entry_size + t->common_size;
	t->size = t->literal + sizeof(u64);
}

static int load_op_tight(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE;
	u32 insn = aarch64_insn_gen_load_literal((unsigned long)t->mem + ldr, (unsigned long)t->mem + t->literal,
						 AARCH64_INSN_REG_2, true);

	if (insn == AARCH64_BREAK_FAULT)
		return -ERANGE;
	put(t, t->op_load, aarch64_insn_gen_nop());
	*(u32 *)(t->mem + ldr) = insn;
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;	// want FT109 "ftrace_caller"
	return 0;
}

#define lay_out lay_out_tight
#define load_op load_op_tight
#include "builder-rest.h"
