// The builder of the RFC patch ("arm64/ftrace: support dynamically allocated
// trampolines", January 2020) retold: other words, the same behaviour and the
// same defects. The end labels are where the patch has them, on the last
// instruction of each part.
//
// build: rfc-builder with=image-rfc.S,sites-regs-good.c,kernel.c

#include "kernel.h"

#define LDR_X2_LITERAL	0x58000002
#define LITERAL_WORDS	(BIT(19) - 1)

// From the label that stands on the last instruction to behind it.
#define WHOLE(start, end) ((end) - (start) + AARCH64_INSN_SIZE)

static int modify_code(unsigned long pc, u32 old, u32 insn, bool validate)
{
	u32 found;

	if (validate) {
		if (aarch64_insn_read((void *)pc, &found))
			return -EFAULT;
		if (found != old)
			return -EINVAL;
	}
	if (aarch64_insn_patch_text_nosync((void *)pc, insn))		// want FT602 "the copy of ftrace_call with no check .* .bl the callback. over it .*an unexpected word in a slot"
		return -EINVAL;
	return 0;
}

static void put(unsigned long at, u32 insn)
{
	*(u32 *)at = insn;
}

static unsigned long make(struct ftrace_ops *ops, unsigned long *tramp_size)
{
	bool regs = ops->flags & FTRACE_OPS_FL_SAVE_REGS;
	unsigned long first = regs ? WHOLE(ftrace_regs_caller, ftrace_regs_caller_end)
				   : WHOLE(ftrace_caller, ftrace_caller_end);
	unsigned long second = WHOLE(ftrace_common, ftrace_common_end);
	unsigned long mem, op_load, literal, words;

	*tramp_size = first + second + sizeof(void *);
	mem = (unsigned long)module_alloc(*tramp_size);			// want FT202 "module_alloc.. can land out .*the 2 GiB .*up to 2048 MiB from callsites"
	if (!mem)
		return 0;

	if (WARN_ON(copy_from_kernel_nofault((void *)mem, regs ? ftrace_regs_caller : ftrace_caller, first) < 0))
		goto fail;
	if (WARN_ON(copy_from_kernel_nofault((void *)(mem + first), ftrace_common, second) < 0))
		goto fail;

	// The parts are neighbours now: no branch from one to the other.
	put(mem + first - AARCH64_INSN_SIZE, aarch64_insn_gen_nop());

	// Right behind the code, wherever that ends.
	literal = mem + first + second;
	*(struct ftrace_ops **)literal = ops;				// want FT109 "ftrace_regs_caller"

	op_load = mem + first + (function_trace_op_ptr - ftrace_common);
	put(op_load, aarch64_insn_gen_nop());
	op_load += AARCH64_INSN_SIZE;
	if (WARN_ON((literal - op_load) % AARCH64_INSN_SIZE))
		goto fail;
	words = (literal - op_load) / AARCH64_INSN_SIZE;
	put(op_load, LDR_X2_LITERAL | (u32)(words & LITERAL_WORDS) << 5);	// want FT601 "ldr x2" FT603 "to 19 bits .*the offset of .ldr x2.*the range of LDR literal"

	ops->flags |= FTRACE_OPS_FL_ALLOC_TRAMP;
	set_vm_flush_reset_perms((void *)mem);
	// want+1 FT301 "returns .* rwx" FT306 "30 of the 32 instructions " FT308 "set_memory_x.. failing"
	set_memory_x(mem, DIV_ROUND_UP(*tramp_size, PAGE_SIZE));
	return mem;

fail:
	module_memfree((void *)mem);
	return 0;
}

// Both slots are counted back from the return, which the literal follows.
static unsigned long call_slot(struct ftrace_ops *ops)
{
	unsigned long back = ftrace_common_end - ftrace_call;

	return ops->trampoline + ops->trampoline_size - AARCH64_INSN_SIZE - sizeof(void *) - back;
}

static unsigned long graph_slot(struct ftrace_ops *ops)
{
	unsigned long back = ftrace_common_end - ftrace_graph_call;

	return ops->trampoline + ops->trampoline_size - AARCH64_INSN_SIZE - sizeof(void *) - back;
}

static int modify_call(struct ftrace_ops *ops)
{
	unsigned long pc = call_slot(ops), func = (unsigned long)ftrace_ops_get_func(ops);

	// want+1 FT203 "brk"
	return modify_code(pc, 0, aarch64_insn_gen_branch_imm(pc, func, AARCH64_INSN_BRANCH_LINK), false);
}

static int modify_graph_call(struct ftrace_ops *ops)
{
	unsigned long pc = graph_slot(ops);
	u32 branch = aarch64_insn_gen_branch_imm(pc, (unsigned long)ftrace_graph_caller, AARCH64_INSN_BRANCH_NOLINK);
	u32 nop = aarch64_insn_gen_nop();

	return modify_code(pc, 0, ftrace_graph_active ? branch : nop, false);
}

void arch_ftrace_update_trampoline(struct ftrace_ops *ops)
{
	unsigned long size;

	if (!ops->trampoline) {
		ops->trampoline = make(ops, &size);
		if (!ops->trampoline)
			return;
		ops->trampoline_size = size;
	}
	if (!(ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP))
		return;
	WARN_ON(modify_call(ops));
	WARN_ON(modify_graph_call(ops));
}
