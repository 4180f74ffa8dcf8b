/*
 * Site functions without a defect for two NOPs at a function's entry (eras
 * regs, args and dyntramp). A callsite's ip is the second, that becomes a BL.
 */

#include "sites.h"

static inline unsigned long nops_adjust(unsigned long addr)
{
	return addr + AARCH64_INSN_SIZE;
}

/* Where a BL at the callsite must go to arrive at target, in the end. */
static inline bool nops_callable(struct module *mod, unsigned long pc, unsigned long *target)
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

static inline int nops_init_nop(struct dyn_ftrace *rec)
{
	return replace(rec->ip - AARCH64_INSN_SIZE, aarch64_insn_gen_nop(), save_lr());
}

static inline int nops_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	unsigned long pc = rec->ip;

	if (!nops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, aarch64_insn_gen_nop(), bl(pc, addr));
}

static inline int nops_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	unsigned long pc = rec->ip;

	if (!nops_callable(NULL, pc, &old_addr) || !nops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, bl(pc, old_addr), bl(pc, addr));
}

static inline int nops_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	unsigned long pc = rec->ip;

	if (!nops_callable(mod, pc, &addr))
		return -EINVAL;
	return replace(pc, bl(pc, addr), aarch64_insn_gen_nop());
}

/* The slot in the entry code that serves all callsites. */
static inline int nops_update_func(ftrace_func_t func)
{
	unsigned long pc = (unsigned long)ftrace_call;

	return aarch64_insn_patch_text_nosync((void *)pc, bl(pc, (unsigned long)func));
}
