// A builder without a defect that keeps the word of the branch between the
// parts, as a NOP.
//
// build: builder-good-nop with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void lay_out_whole(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->entry_size += AARCH64_INSN_SIZE;
	t->op_load += AARCH64_INSN_SIZE;
	t->call += AARCH64_INSN_SIZE;
	t->graph += AARCH64_INSN_SIZE;
	t->literal = ALIGN(t->entry_size + t->common_size, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static void clear_slots_and_branch(const struct tramp *t)
{
	clear_slots(t);
	put(t, t->entry_size - AARCH64_INSN_SIZE, aarch64_insn_gen_nop());
}

#define lay_out lay_out_whole
#define clear_slots clear_slots_and_branch
#include "builder-rest.h"
