// A builder that would do for the usual template. This one has a CBZ that
// aims out of it, and nobody takes care of that.
//
// build: builder-pcrel-cbz with=image-pcrel-cbz.S,sites-regs-good.c,kernel.c

#include "builder.h"

static int copy_blindly(const struct tramp *t)
{
	if (copy_from_kernel_nofault(t->mem, t->entry, t->entry_size))
		return -EFAULT;
	if (copy_from_kernel_nofault(t->mem + t->entry_size, ftrace_common, t->common_size))	// want FT106 "cbz"
		return -EFAULT;
	return 0;
}

#define copy copy_blindly
#include "builder-rest.h"
