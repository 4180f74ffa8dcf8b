// A builder that tells nobody when a trampoline could not be changed.
//
// build: builder-silent with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"
#include "builder-aim.h"
#include "builder-create.h"

void arch_ftrace_update_trampoline(struct ftrace_ops *ops)
{							// want FT116 "hides that an update .*the trampoline stays as it was.*another callback, beyond 128 MiB"
	struct tramp t;

	lay_out(&t, ops);
	if (!ops->trampoline) {
		create(&t, ops);
	} else if (ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP) {
		t.mem = (char *)ops->trampoline;
		aim(&t, ops);
	}
}
