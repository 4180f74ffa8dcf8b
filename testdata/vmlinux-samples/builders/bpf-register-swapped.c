// A generator whose trampolines restore x19 and x20, each into the other.
//
// build: bpf-register-swapped btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void leave_frame_not(struct gen *g, const struct tramp *t)
{
	emit(g, LDP(X20, X19, FP, -16));	// want FT702 "x19 is .*x20 is .*`ldp x20, x19, "
	emit(g, ADD(SP, FP, 0));
	emit(g, POP(FP, LR));
	if (!indirect(t))
		emit(g, POP(FP, X9));
}

#define leave_frame leave_frame_not
#include "bpf-rest.h"
