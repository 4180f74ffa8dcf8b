// A builder without a defect that works from everywhere: behind the literal
// there is a PLT entry for each slot, which is used where the target is out of
// reach. (A callsite that cannot reach the trampoline is the business of
// ftrace_make_call.) An entry takes its target from a literal of its own, so a
// new callback is one store of eight bytes:
//
// 	ldr x16, target
// 	br x16
// target:	.quad
//
// build: builder-good-plt with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define PLT_TARGET	(2 * AARCH64_INSN_SIZE)
#define PLT_SIZE	(PLT_TARGET + sizeof(u64))

static unsigned long call_plt(const struct tramp *t)
{
	return t->literal + sizeof(u64);
}

static unsigned long graph_plt(const struct tramp *t)
{
	return call_plt(t) + PLT_SIZE;
}

static void lay_out_plts(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->size += 2 * PLT_SIZE;
}

static bool in_reach_by_plt(const struct tramp *t)
{
	return true;
}

static void make_plt(const struct tramp *t, unsigned long plt)
{
	unsigned long pc = (unsigned long)t->mem + plt;

	put(t, plt, aarch64_insn_gen_load_literal(pc, pc + PLT_TARGET, AARCH64_INSN_REG_16, true));
	put(t, plt + AARCH64_INSN_SIZE, aarch64_insn_gen_branch_reg(AARCH64_INSN_REG_16, AARCH64_INSN_BRANCH_NOLINK));
	*(u64 *)(t->mem + plt + PLT_TARGET) = 0;
}

static void clear_slots_and_plts(const struct tramp *t)
{
	clear_slots(t);
	make_plt(t, call_plt(t));
	make_plt(t, graph_plt(t));
}

// The PLT entry has its target before the slot leads there.
static int patch_by_plt(const struct tramp *t, unsigned long slot, unsigned long plt, unsigned long target,
			enum aarch64_insn_branch_type type)
{
	unsigned long pc = (unsigned long)t->mem + slot, entry = (unsigned long)t->mem + plt;

	if (target && !branch_reaches(pc, target)) {
		if (aarch64_insn_write_literal_u64((void *)(entry + PLT_TARGET), target))
			return -EFAULT;
		target = entry;
	}
	return patch(pc, target, type);
}

static int aim(const struct tramp *t, struct ftrace_ops *ops)
{
	int ret = patch_by_plt(t, t->graph, graph_plt(t), graph_target(), AARCH64_INSN_BRANCH_NOLINK);

	if (ret)
		return ret;
	return patch_by_plt(t, t->call, call_plt(t), (unsigned long)ftrace_ops_get_func(ops),
			    AARCH64_INSN_BRANCH_LINK);
}

#define lay_out lay_out_plts
#define in_reach in_reach_by_plt
#define clear_slots clear_slots_and_plts
#include "builder-create.h"
#include "builder-update.h"
