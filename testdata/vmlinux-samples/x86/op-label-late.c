// A builder without a defect, of entry code with the label of the op load behind it.
//
// build: op-label-late link=static with=image-op-label-late.S,sites-good.c,kernel.c

#include "builder.h"

static inline int copy_here(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;	// want FT106 "`mov` at ftrace_caller.0x6f is copied unrewritten" FT108 "not one into RDX.*mov %rsp,%rcx"
}

#define copy copy_here
#include "builder-rest.h"
