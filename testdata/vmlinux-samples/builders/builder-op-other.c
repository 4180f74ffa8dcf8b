// A builder whose literal is what function_trace_op was when it was built.
//
// build: builder-op-other with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int load_op_now(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE;
	u32 insn = aarch64_insn_gen_load_literal((unsigned long)t->mem + ldr, (unsigned long)t->mem + t->literal,
						 AARCH64_INSN_REG_2, true);

	if (insn == AARCH64_BREAK_FAULT)
		return -ERANGE;
	put(t, t->op_load, aarch64_insn_gen_nop());
	*(u32 *)(t->mem + ldr) = insn;
	*(struct ftrace_ops **)(t->mem + t->literal) = function_trace_op;	// want FT108 "x2"
	return 0;
}

#define load_op load_op_now
#include "builder-rest.h"
