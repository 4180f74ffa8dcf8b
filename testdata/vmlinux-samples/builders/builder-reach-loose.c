// A builder that takes memory from which the template is in reach, and forgets
// the callsites beyond it.
//
// build: builder-reach-loose with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"

static void *allocate_near(unsigned long size)
{
	return module_alloc(size);		// want FT203 "just beyond -128 MiB of the last callsite"
}

static bool template_in_reach(const struct tramp *t)
{
	return branch_reaches((unsigned long)ftrace_caller, (unsigned long)t->mem);
}

#define allocate allocate_near
#define in_reach template_in_reach
#include "builder-rest.h"
