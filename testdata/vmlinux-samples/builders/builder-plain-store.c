// A builder that stores into the slots by itself, when the memory is read-only.
//
// build: builder-plain-store with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int patch_plain(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
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
	if (old == insn)
		return 0;
	*(volatile u32 *)pc = insn;		// want FT305 "str"
	__flush_icache_range(pc, pc + AARCH64_INSN_SIZE);
	return 0;
}

#define patch patch_plain
#include "builder-rest.h"
