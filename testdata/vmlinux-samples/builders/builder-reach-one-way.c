// A builder that minds memory too far above the image, and no other: below it,
// as modules are, the callback is out of reach.
//
// build: builder-reach-one-way with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void *allocate_anywhere(unsigned long size)
{
	return module_alloc(size);		// want FT202 "module_alloc.. can land out .*the 2 GiB .*up to 2048 MiB from callsites"
}

static bool in_reach_below(const struct tramp *t)
{
	return (long)((unsigned long)t->mem - (unsigned long)_text) < SZ_128M;
}

static int patch_anyway(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
{
	u32 old, nop = aarch64_insn_gen_nop(), insn = nop;

	if (target)
		insn = aarch64_insn_gen_branch_imm(pc, target, type);	// want FT203 "does not arrive.*brk.*-128 MiB"
	if (aarch64_insn_read((void *)pc, &old))
		return -EFAULT;
	if (old != nop && !is_branch(old))
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);
}

#define allocate allocate_anywhere
#define in_reach in_reach_below
#define patch patch_anyway
#include "builder-rest.h"
