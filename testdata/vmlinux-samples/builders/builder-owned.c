// A builder that takes every trampoline for one of its own.
//
// build: builder-owned with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void release_any(void *mem)
{
	module_memfree(mem);			// want FT116 "frees memory that it has not allocated.*module_memfree.. is called for 0x"
}

#define release release_any
#include "builder-aim.h"
#include "builder-create.h"

void arch_ftrace_update_trampoline(struct ftrace_ops *ops)
{
	struct tramp t;

	lay_out(&t, ops);
	if (!ops->trampoline) {
		create(&t, ops);
	} else {
		t.mem = (char *)ops->trampoline;
		WARN_ON(aim(&t, ops));	// want FT116 "the builder warns"
	}
}

void arch_ftrace_trampoline_free(struct ftrace_ops *ops)
{							// want FT116 "changes an ops whose trampoline is its owner's"
	if (!ops->trampoline)
		return;
	release((void *)ops->trampoline);
	ops->trampoline = 0;
}
