// A generator whose trampolines go to the function's body by BR: it begins with no
// landing pad.
//
// build: bpf-body-branch btf=yes with=image-callops-bti.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void call_function_not(struct gen *g, const struct tramp *t)
{
	load_args(g, t);
	emit(g, LDR(X10, FP, 8));
	emit(g, ADR(LR, 8));
	emit(g, BR(X10));	// want FT710 "BR goes to the function's body, which has no landing pad.*`br x10`"
	emit(g, STR(0, SP, ret_off(t)));
}

#define call_function call_function_not
#include "bpf-rest.h"
