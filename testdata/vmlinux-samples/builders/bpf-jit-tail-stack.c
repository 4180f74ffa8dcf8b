// A JIT that has a tail call leave the program's stack where it is.
//
// build: bpf-jit-tail-stack btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_jit
#include "bpf-gen.h"
#include "bpf-rest.h"

static inline void leave_stack_not(struct gen *g, const struct bpf_prog *prog)
{
	emit(g, ADD(SP, SP, prog->aux->stack_depth & ~15));	// want FT713 "tail calls one with more registers and stack.*SP is .* behind the tail call.*`add sp, sp, #0x20`"
}

#define leave_stack leave_stack_not
#include "bpf-jit.h"
