// A generator that stores arguments in pairs, the second of each first.
//
// build: bpf-args-swapped btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void save_args_not(struct gen *g, const struct tramp *t)
{
	int i = 0;

	for (; i + 1 < t->slots; i += 2)
		emit(g, STP(i + 1, i, SP, t->ctx + 8 * i));	// want FT701 "^generate has programs handed a wrong context.*word 0 of the arguments.*`stp x1, x0, .sp, #32.`"
	if (i < t->slots)
		emit(g, STR(i, SP, t->ctx + 8 * i));
}

#define save_args save_args_not
#include "bpf-rest.h"
