/*
 * Site functions without a defect for era callops. A callsite's ip is the
 * BL's address; the literal that holds the ops lies before the function,
 * aligned, and a landing pad may stand between the two.
 */

#include "sites.h"

static inline unsigned long callops_adjust(unsigned long addr)
{
	if (WARN_ON(addr % sizeof(u64)))
		return 0;
	addr += sizeof(u64);
	if (*(u32 *)addr == 0xd503245f)		/* bti c */
		addr += AARCH64_INSN_SIZE;
	return addr + AARCH64_INSN_SIZE;
}

static inline int callops_set(struct dyn_ftrace *rec, const struct ftrace_ops *ops)
{
	unsigned long literal = ALIGN_DOWN(rec->ip - 3 * AARCH64_INSN_SIZE, sizeof(u64));

	return aarch64_insn_write_literal_u64((void *)literal, (u64)ops);
}

static inline const struct ftrace_ops *callops_of(struct dyn_ftrace *rec)
{
	struct ftrace_ops *ops = NULL;

	if (rec->flags & FTRACE_FL_CALL_OPS_EN) {
		ops = ftrace_find_unique_ops(rec);
		WARN_ON(!ops);
	}
	return ops ? ops : &ftrace_list_ops;
}

/* A trampoline out of reach is ftrace_caller's business, a far ftrace_caller the PLT's. */
static inline bool callops_callable(struct module *mod, unsigned long pc, unsigned long *target)
{
	struct plt_entry *plt;

	if (bl_reaches(pc, *target))
		return true;
	*target = (unsigned long)ftrace_caller;
	if (bl_reaches(pc, *target))
		return true;
	mod = module_of(mod, pc);
	if (!mod)
		return false;
	plt = ftrace_plts(mod, pc);
	if (!plt)
		return false;
	*target = (unsigned long)plt;
	return true;
}

static inline int callops_init_nop(struct dyn_ftrace *rec)
{
	int ret = callops_set(rec, &ftrace_nop_ops);

	if (ret)
		return ret;
	return replace(rec->ip - AARCH64_INSN_SIZE, aarch64_insn_gen_nop(), save_lr());
}

static inline int callops_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	unsigned long pc = rec->ip;
	int ret = callops_set(rec, callops_of(rec));

	if (ret)
		return ret;
	if (!callops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, aarch64_insn_gen_nop(), bl(pc, addr));
}

static inline int callops_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	unsigned long pc = rec->ip;
	int ret = callops_set(rec, callops_of(rec));

	if (ret)
		return ret;
	if (!callops_callable(NULL, pc, &old_addr) || !callops_callable(NULL, pc, &addr))
		return -EINVAL;
	return replace(pc, bl(pc, old_addr), bl(pc, addr));
}

static inline int callops_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	unsigned long pc = rec->ip;
	int ret = callops_set(rec, &ftrace_nop_ops);

	if (ret)
		return ret;
	if (!callops_callable(mod, pc, &addr))
		return -EINVAL;
	return replace(pc, bl(pc, addr), aarch64_insn_gen_nop());
}
