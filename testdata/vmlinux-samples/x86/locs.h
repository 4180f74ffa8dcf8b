/* What ftrace makes of a callsite table: ftrace_process_locs() of the core. */

#pragma once

#include "sites.h"

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr);

static int compare(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static inline void sort_table(unsigned long *start, unsigned long *end)
{
	sort(start, end - start, sizeof(*start), compare, NULL);
}

/* A callsite becomes known, and the compiler's call is removed. */
static inline int make_known(struct module *mod, unsigned long ip)
{
	struct dyn_ftrace rec = { .ip = ip };

	return ftrace_make_nop(mod, &rec, MCOUNT_ADDR);
}
