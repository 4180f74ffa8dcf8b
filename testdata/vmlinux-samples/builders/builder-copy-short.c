// A builder that copies one instruction less than it must: the return is not in
// the trampoline, and what follows the restored registers is the literal.
//
// build: builder-copy-short with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void lay_out_short(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->common_size -= AARCH64_INSN_SIZE;
	t->literal = ALIGN(t->entry_size + t->common_size, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static int copy_short(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))	// want FT103 "ret"
		return -EFAULT;
	return 0;
}

#define lay_out lay_out_short
#define copy copy_short
#include "builder-rest.h"
