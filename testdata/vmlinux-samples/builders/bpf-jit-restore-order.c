// A JIT whose programs restore registers in the order in which they saved them.
//
// build: bpf-jit-restore-order btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_jit
#include "bpf-gen.h"
#include "bpf-rest.h"

static inline void restore_regs_not(struct gen *g)
{
	for (int i = 19; i < 29; i += 2)
		emit(g, POP(i, i + 1));	// want FT713 "a program with registers and stack.*x19 is .* at the program's caller.*`ldp x19, x20, .sp., #16`"
}

#define restore_regs restore_regs_not
#include "bpf-jit.h"
