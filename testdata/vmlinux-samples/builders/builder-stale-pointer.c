// A builder that tells the ops of its memory before there is a trampoline in it,
// and does not take that back.
//
// build: builder-stale-pointer with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"
#include "builder-aim.h"

static int create(struct tramp *t, struct ftrace_ops *ops)
{
	t->mem = allocate(t->size);
	if (!t->mem)
		return -ENOMEM;
	if (!in_reach(t)) {
		release(t->mem);
		return -ERANGE;
	}
	ops->trampoline = (unsigned long)t->mem;
	ops->trampoline_size = t->size;
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))				// want FT308 "leaves 0x[0-9a-f]+ in ops->trampoline, which is freed memory.*copy_from_kernel_nofault.. .*failing"
		goto out;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))
		goto out;
	clear_slots(t);
	if (load_op(t, ops) || protect(t) || aim(t, ops))
		goto out;
	ops->flags |= FTRACE_OPS_FL_ALLOC_TRAMP;
	return 0;
out:
	release(t->mem);
	return -EINVAL;
}

#include "builder-update.h"
