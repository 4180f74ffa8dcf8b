// A builder that encodes its branches itself, and of a displacement that does
// not fit takes the bits that do: a branch to somewhere.
//
// build: builder-branch-masked with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

#define B_IMM	0x14000000
#define BL_IMM	0x94000000
#define FIELD	(BIT(26) - 1)

static void *allocate_anywhere(unsigned long size)
{
	return module_alloc(size);		// want FT202 "module_alloc.. can land out .*the 2 GiB .*up to 2048 MiB from callsites"
}

static bool in_reach_always(const struct tramp *t)
{
	return true;
}

static noinline u32 branch(unsigned long offset)
{
	return B_IMM | (u32)(offset / 4 & FIELD);	// want FT601 "b " FT603 "to 26 bits .*the offset of .b ftrace_graph_caller.*the range of B,"
}

static noinline u32 branch_link(unsigned long offset)
{
	return BL_IMM | (u32)(offset / 4 & FIELD);	// want FT601 "bl" FT603 "to 26 bits .*the offset of .bl the callback.*the range of BL,"
}

static int patch_masked(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
{
	u32 old, nop = aarch64_insn_gen_nop(), insn = nop;

	if (target && type == AARCH64_INSN_BRANCH_LINK)
		insn = branch_link(target - pc);
	else if (target)
		insn = branch(target - pc);
	if (aarch64_insn_read((void *)pc, &old))
		return -EFAULT;
	if (old != nop && !is_branch(old))
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);	// want FT203 "MiB"
}

#define allocate allocate_anywhere
#define in_reach in_reach_always
#define patch patch_masked
#include "builder-rest.h"
