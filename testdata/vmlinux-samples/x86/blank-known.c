// Blank entries of the callsite table are not passed over.
//
// build: blank-known link=static with=good.c,image-blank.S,sites-good.c,kernel.c

#include "locs.h"

int ftrace_process_locs(struct module *mod, unsigned long *start, unsigned long *end)
{	// want FT408 "ftrace_process_locs does not make of the callsite table what it should.*it makes a callsite at 0x0, where none is"
	for (; start < end; start++)
		if (make_known(mod, *start))
			return -EINVAL;
	return 0;
}
