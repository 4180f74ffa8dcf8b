// A builder that flags the ops as one with a trampoline before it has memory for
// one.
//
// build: builder-stale-flags with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"
#include "builder-aim.h"

static int create(struct tramp *t, struct ftrace_ops *ops)
{
	ops->flags |= FTRACE_OPS_FL_ALLOC_TRAMP;
	t->mem = module_alloc(t->size);		// want FT308 "FTRACE_OPS_FL_ALLOC_TRAMP in ops->flags with no trampoline.*module_alloc.. failing"
	if (!t->mem)
		return -ENOMEM;
	if (!in_reach(t) || copy(t))
		goto out;
	clear_slots(t);
	if (load_op(t, ops) || protect(t) || aim(t, ops))
		goto out;
	ops->trampoline = (unsigned long)t->mem;
	ops->trampoline_size = t->size;
	return 0;
out:
	release(t->mem);
	ops->flags &= ~(unsigned long)FTRACE_OPS_FL_ALLOC_TRAMP;
	return -EINVAL;
}

#include "builder-update.h"
