// A builder that forgets its memory when the template cannot be copied.
//
// build: builder-leak with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"
#include "builder-aim.h"

static int create(struct tramp *t, struct ftrace_ops *ops)
{
	t->mem = allocate(t->size);
	if (!t->mem)
		return -ENOMEM;
	if (!in_reach(t))
		goto out;
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))				// want FT308 "leaves memory behind.*leaves 0x[0-9a-f]+ bytes at .* allocated.*copy_from_kernel_nofault.. .*failing"
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))
		goto out;
	clear_slots(t);
	if (load_op(t, ops) || protect(t) || aim(t, ops))
		goto out;
	ops->trampoline = (unsigned long)t->mem;
	ops->trampoline_size = t->size;
	ops->flags |= FTRACE_OPS_FL_ALLOC_TRAMP;
	return 0;
out:
	release(t->mem);
	return -EINVAL;
}

#include "builder-update.h"
