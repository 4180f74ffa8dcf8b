// A generator that makes a record of x9 for struct_ops, too, which nobody has set.
//
// build: bpf-frame-ops btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void enter_frame_not(struct gen *g, const struct tramp *t)
{
	emit(g, BTI_JC);
	emit(g, PUSH(FP, X9));
	emit(g, ADD(FP, SP, 0));
	emit(g, PUSH(FP, LR));
	emit(g, ADD(FP, SP, 0));	// want FT709 "in the trampoline for struct_ops on .*does not show the traced function and its caller.*`mov x29, sp`"
	emit(g, SUB(SP, SP, t->size));
	emit(g, STP(X19, X20, FP, -16));
}

static inline void leave_frame_not(struct gen *g, const struct tramp *t)
{
	emit(g, LDP(X19, X20, FP, -16));
	emit(g, ADD(SP, FP, 0));
	emit(g, POP(FP, LR));
	emit(g, POP(FP, X9));
}

#define enter_frame enter_frame_not
#define leave_frame leave_frame_not
#include "bpf-rest.h"
