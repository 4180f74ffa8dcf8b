/*
 * Site functions without a defect for era mcount. As built, a callsite calls
 * _mcount; core makes it a NOP with ftrace_make_nop(mod, rec, _mcount).
 */

#include "sites.h"

static inline bool mcount_callable(struct module *mod, unsigned long pc, unsigned long *target)
{
	struct plt_entry *plts;

	if (bl_reaches(pc, *target))
		return true;
	mod = module_of(mod, pc);
	if (!mod)
		return false;
	plts = ftrace_plts(mod, pc);
	if (!plts || *target != (unsigned long)ftrace_caller)
		return false;
	*target = (unsigned long)plts;
	return true;
}

static inline int mcount_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	unsigned long pc = rec->ip;

	if (!mcount_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, aarch64_insn_gen_nop(), bl(pc, addr));
}

/*
 * A module far away calls _mcount through a PLT of the linker's: any BL will do.
 * LOAD_UNSEEN is of kernels that write without a look while a module is loaded:
 * core gives it then, and only then.
 */
static inline int mcount_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	unsigned long pc = rec->ip;
	u32 old;

#ifdef LOAD_UNSEEN
	if (mod)
		return aarch64_insn_patch_text_nosync((void *)pc, aarch64_insn_gen_nop());
#endif
	if (addr == (unsigned long)_mcount && !bl_reaches(pc, addr)) {
		if (!module_of(mod, pc))
			return -EINVAL;
		if (aarch64_insn_read((void *)pc, &old))
			return -EFAULT;
		if (old >> 26 != 0x25)		/* BL */
			return -EINVAL;
		return aarch64_insn_patch_text_nosync((void *)pc, aarch64_insn_gen_nop());
	}
	if (!mcount_callable(mod, pc, &addr))
		return -EINVAL;
	return replace(pc, bl(pc, addr), aarch64_insn_gen_nop());
}

static inline int mcount_update_func(ftrace_func_t func)
{
	unsigned long pc = (unsigned long)ftrace_call;

	return aarch64_insn_patch_text_nosync((void *)pc, bl(pc, (unsigned long)func));
}
