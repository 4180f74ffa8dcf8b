// A builder that never asks how far its memory is: a callback out of reach
// becomes the BRK that stands for what cannot be encoded.
//
// build: builder-no-reach with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void *allocate_anywhere(unsigned long size)
{
	return module_alloc(size);		// want FT202 "module_alloc.. can land out .*the 2 GiB .*up to 2048 MiB from callsites"
}

static bool in_reach_always(const struct tramp *t)
{
	return true;
}

static int patch_anyway(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
{
	u32 old, nop = aarch64_insn_gen_nop(), insn = nop;

	if (target)
		insn = aarch64_insn_gen_branch_imm(pc, target, type);	// want FT203 "brk|BRK"
	if (aarch64_insn_read((void *)pc, &old))
		return -EFAULT;
	if (old != nop && !is_branch(old))
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);
}

#define allocate allocate_anywhere
#define in_reach in_reach_always
#define patch patch_anyway
#include "builder-rest.h"
