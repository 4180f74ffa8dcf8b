// A builder that drops the branch between the parts, and the instruction before
// it: the callback runs with another frame pointer.
//
// build: builder-drops-insn with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void lay_out_less(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->entry_size -= AARCH64_INSN_SIZE;
	t->op_load -= AARCH64_INSN_SIZE;
	t->call -= AARCH64_INSN_SIZE;
	t->graph -= AARCH64_INSN_SIZE;
	t->literal = ALIGN(t->entry_size + t->common_size, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static int copy_less(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))	// want FT113 "frame record.*add x29"
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))
		return -EFAULT;
	return 0;
}

#define lay_out lay_out_less
#define copy copy_less
#include "builder-rest.h"
