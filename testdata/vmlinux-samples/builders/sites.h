/*
 * What site functions of all eras share: reach, a module's PLTs, and the one
 * way to change an instruction.
 */

#pragma once

#include "kernel.h"

static inline bool bl_reaches(unsigned long pc, unsigned long target)
{
	long offset = target - pc;

	return offset >= -SZ_128M && offset < SZ_128M;
}

/* Puts insn where old is, and nowhere else. */
static inline int replace(unsigned long pc, u32 old, u32 insn)
{
	u32 found;

	if (aarch64_insn_read((void *)pc, &found))
		return -EFAULT;
	if (found != old)
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)pc, insn);
}

static inline u32 bl(unsigned long pc, unsigned long target)
{
	return aarch64_insn_gen_branch_imm(pc, target, AARCH64_INSN_BRANCH_LINK);
}

static inline u32 save_lr(void)
{
	return aarch64_insn_gen_move_reg(AARCH64_INSN_REG_9, AARCH64_INSN_REG_LR, AARCH64_INSN_VARIANT_64BIT);
}

/* The module of a callsite that core knows of, or that must be looked for. */
static inline struct module *module_of(struct module *mod, unsigned long pc)
{
	if (!mod)
		mod = __module_text_address(pc);
	WARN_ON(!mod);
	return mod;
}

static inline bool within(const struct module *mod, enum mod_mem_type type, unsigned long pc)
{
	return pc - (unsigned long)mod->mem[type].base < mod->mem[type].size;
}

/* The PLTs that a module has for the part that pc is in: its init text has its own. */
static inline struct plt_entry *ftrace_plts(const struct module *mod, unsigned long pc)
{
	if (within(mod, MOD_INIT_TEXT, pc))
		return mod->arch.init_ftrace_trampolines;
	return within(mod, MOD_TEXT, pc) ? mod->arch.ftrace_trampolines : NULL;
}
