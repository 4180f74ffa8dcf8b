// A builder that puts the call of the callback one instruction too far, into the
// slot of the graph tracer.
//
// build: builder-slot-next with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

// As patch(), spelled out: it is here that the wrong slot is written.
static int patch_here(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
{
	u32 old, nop = aarch64_insn_gen_nop(), insn = nop;

	if (target)
		insn = aarch64_insn_gen_branch_imm(pc, target, type);
	if (insn == AARCH64_BREAK_FAULT)
		return -ERANGE;
	if (aarch64_insn_read((void *)pc, &old))
		return -EFAULT;
	if (old != nop && !is_branch(old))
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);	// want FT111 "ftrace_call"
}

static int aim(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long mem = (unsigned long)t->mem;
	int ret = patch(mem + t->graph, graph_target(), AARCH64_INSN_BRANCH_NOLINK);

	if (ret)
		return ret;
	return patch_here(mem + t->call + AARCH64_INSN_SIZE, (unsigned long)ftrace_ops_get_func(ops),
			  AARCH64_INSN_BRANCH_LINK);
}

#include "builder-create.h"
#include "builder-update.h"
