// A callsite table that does not ascend, in a kernel that sorts those of modules
// alone.
//
// build: sites-unsorted link=static with=good.c,image-unsorted.S,sites-good.c,kernel.c

#include "locs.h"

// want-image FT412 "^the callsite table does not ascend.*entry 1 of the callsite table .* is vfs_read .*, below the entry before it, vfs_fsync .*ftrace_process_locs, executed, does not sort"
int ftrace_process_locs(struct module *mod, unsigned long *start, unsigned long *end)
{
	if (mod)
		sort_table(start, end);
	for (; start < end; start++)
		if (*start && make_known(mod, *start))
			return -EINVAL;
	return 0;
}
