/*
 * A builder of dynamic trampolines without a defect: its steps. The headers
 * builder-aim.h, builder-create.h and builder-update.h make a whole of them,
 * builder-rest.h is all three. A sample that shows a defect puts a step of its
 * own in the place of the correct one:
 *
 *	#include "builder.h"
 *	static int protect_not(const struct tramp *t) { ... }
 *	#define protect protect_not
 *	#include "builder-rest.h"
 *
 * The trampoline:
 *
 *	ftrace_caller or ftrace_regs_caller, but for the branch at its end
 *	ftrace_common: the op load became "nop; ldr x2, literal", the callback's
 *		slot a BL, the graph tracer's slot a NOP or a B
 *	(a filler word where the literal needs it)
 *	literal: the address of the ftrace_ops, 8-byte aligned
 */

#include "kernel.h"

struct tramp {
	char		*mem;		/* where it is built */
	const char	*entry;		/* of the template: its first part */
	unsigned long	entry_size;	/* bytes that are copied of each part */
	unsigned long	common_size;
	unsigned long	op_load;	/* offsets in the trampoline */
	unsigned long	call, graph;
	unsigned long	literal;
	unsigned long	size;
};

/* Where everything goes, in which template. */
static inline void lay_out(struct tramp *t, const struct ftrace_ops *ops)
{
	const char *entry_end;

	if (ops->flags & FTRACE_OPS_FL_SAVE_REGS) {
		t->entry = ftrace_regs_caller;
		entry_end = ftrace_regs_caller_end;
	} else {
		t->entry = ftrace_caller;
		entry_end = ftrace_caller_end;
	}
	t->entry_size = entry_end - t->entry - AARCH64_INSN_SIZE;
	t->common_size = ftrace_common_end - ftrace_common;
	t->op_load = t->entry_size + (function_trace_op_ptr - ftrace_common);
	t->call = t->entry_size + (ftrace_call - ftrace_common);
	t->graph = t->entry_size + (ftrace_graph_call - ftrace_common);
	t->literal = ALIGN(t->entry_size + t->common_size, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static inline bool branch_reaches(unsigned long pc, unsigned long target)
{
	long offset = target - pc;

	return offset >= -SZ_128M && offset < SZ_128M;
}

/* Every callsite must reach the trampoline: the first and the last do. */
static inline bool in_reach(const struct tramp *t)
{
	unsigned long mem = (unsigned long)t->mem;

	return branch_reaches((unsigned long)_text, mem) && branch_reaches((unsigned long)_end, mem);
}

static inline void *allocate(unsigned long size)
{
	return module_alloc(size);
}

static inline void release(void *mem)
{
	module_memfree(mem);
}

static inline int copy(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))
		return -EFAULT;
	return 0;
}

/* While the memory is writable: a plain store of one instruction. */
static inline void put(const struct tramp *t, unsigned long offset, u32 insn)
{
	*(u32 *)(t->mem + offset) = insn;
}

/* The template is live code: whatever its slots call now is not ours. */
static inline void clear_slots(const struct tramp *t)
{
	put(t, t->call, aarch64_insn_gen_nop());
	put(t, t->graph, aarch64_insn_gen_nop());
}

/* The ADRP and LDR of function_trace_op become a NOP and a LDR of our own. */
static inline int load_op(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long ldr = t->op_load + AARCH64_INSN_SIZE;
	u32 insn = aarch64_insn_gen_load_literal((unsigned long)t->mem + ldr, (unsigned long)t->mem + t->literal,
						 AARCH64_INSN_REG_2, true);

	if (insn == AARCH64_BREAK_FAULT)
		return -ERANGE;
	put(t, t->op_load, aarch64_insn_gen_nop());
	put(t, ldr, insn);
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	return 0;
}

/* From writable to executable, never both; freeing it resets that. */
static inline int protect(const struct tramp *t)
{
	unsigned long addr = (unsigned long)t->mem;
	int pages = DIV_ROUND_UP(t->size, PAGE_SIZE), ret;

	__flush_icache_range(addr, addr + t->size);
	set_vm_flush_reset_perms(t->mem);
	ret = set_memory_ro(addr, pages);
	if (ret)
		return ret;
	return set_memory_x(addr, pages);
}

static inline bool is_branch(u32 insn)
{
	return (insn & 0x7c000000) == 0x14000000;	/* B or BL */
}

/* Makes a slot branch to target, or do nothing if there is none. */
static inline int patch(unsigned long pc, unsigned long target, enum aarch64_insn_branch_type type)
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
	return aarch64_insn_patch_text_nosync((void *)pc, insn);
}

static inline unsigned long graph_target(void)
{
	return ftrace_graph_active ? (unsigned long)ftrace_graph_caller : 0;
}
