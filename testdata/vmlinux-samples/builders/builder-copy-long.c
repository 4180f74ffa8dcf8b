// A builder that adds an instruction by hand, and another, though the end label
// is where it should be: what follows the return is copied, too.
//
// build: builder-copy-long with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void lay_out_long(struct tramp *t, const struct ftrace_ops *ops)
{
	lay_out(t, ops);
	t->common_size += 2 * AARCH64_INSN_SIZE;
	t->literal = ALIGN(t->entry_size + t->common_size, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static int copy_long(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))	// want FT105 "ret"
		return -EFAULT;
	return 0;
}

#define lay_out lay_out_long
#define copy copy_long
#include "builder-rest.h"
