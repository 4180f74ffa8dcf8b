// A builder that patches its slots whatever stands there.
//
// build: builder-unverified with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int patch_blindly(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
{
	u32 insn = aarch64_insn_gen_nop();

	if (target)
		insn = aarch64_insn_gen_branch_imm(pc, target, type);
	if (insn == AARCH64_BREAK_FAULT)
		return -ERANGE;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);	// want FT602 "the copy of ftrace_call with no check .* .bl the callback. over it .*an unexpected word in a slot"
}

#define patch patch_blindly
#include "builder-rest.h"
