// Blank entries of the callsite table are passed over.
//
// build: blank-good link=static with=good.c,image-blank.S,sites-good.c,kernel.c

#include "locs.h"

int ftrace_process_locs(struct module *mod, unsigned long *start, unsigned long *end)
{
	for (; start < end; start++)
		if (*start && make_known(mod, *start))
			return -EINVAL;
	return 0;
}
