// A builder that copies the branch between the two parts of the template, with
// the displacement that it has there.
//
// build: builder-branch-kept with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void lay_out_all(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->entry_size += AARCH64_INSN_SIZE;
	t->op_load += AARCH64_INSN_SIZE;
	t->call += AARCH64_INSN_SIZE;
	t->graph += AARCH64_INSN_SIZE;
	t->literal = ALIGN(t->entry_size + t->common_size, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static int copy_all(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))	// want FT106 "b .*ftrace_common"
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))
		return -EFAULT;
	return 0;
}

#define lay_out lay_out_all
#define copy copy_all
#include "builder-rest.h"
