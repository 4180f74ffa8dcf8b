// A generator that counts arguments where the context has words: a structure of two
// counts once.
//
// build: bpf-count-args btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void save_count_not(struct gen *g, const struct tramp *t)
{
	emit(g, MOVZ(X10, t->m->nr_args, 0));
	emit(g, STR(X10, SP, t->ctx - 8));	// want FT701 "the number of arguments in the context of fentry program 1 is 2, 3 was expected"
}

#define save_count save_count_not
#include "bpf-rest.h"
