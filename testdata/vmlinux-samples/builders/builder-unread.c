// A builder that hopes for the best where it cannot read what it patches.
//
// build: builder-unread with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int patch_hopefully(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
{
	u32 old, nop = aarch64_insn_gen_nop(), insn = nop;

	if (target)
		insn = aarch64_insn_gen_branch_imm(pc, target, type);
	if (insn == AARCH64_BREAK_FAULT)
		return -ERANGE;
	aarch64_insn_read((void *)pc, &old);
	if (old != nop && !is_branch(old))
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);	// want FT602 "patches text that it could not read"
}

#define patch patch_hopefully
#include "builder-rest.h"
