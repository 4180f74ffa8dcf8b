// The table of sites-unsorted in a kernel that sorts it.
//
// build: sites-sorted-at-boot link=static with=good.c,image-unsorted.S,sites-good.c,kernel.c

#include "locs.h"

int ftrace_process_locs(struct module *mod, unsigned long *start, unsigned long *end)
{
	sort_table(start, end);
	for (; start < end; start++)
		if (*start && make_known(mod, *start))
			return -EINVAL;
	return 0;
}
