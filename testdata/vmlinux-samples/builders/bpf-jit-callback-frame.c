// A JIT whose callback of exceptions takes less registers to be saved than are.
//
// build: bpf-jit-callback-frame btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_jit
#include "bpf-gen.h"
#include "bpf-rest.h"

static inline void take_frame_not(struct gen *g)
{
	emit(g, MOV(FP, 2));
	emit(g, SUB(SP, FP, 64));	// want FT713 "a subprogram that throws an exception.*it does not come back.*`sub sp, x29, #0x40`"
}

#define take_frame take_frame_not
#include "bpf-jit.h"
