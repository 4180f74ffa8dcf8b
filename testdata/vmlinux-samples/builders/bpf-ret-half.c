// A generator that looks at 32 bits of what an fmod_ret program returns: the function, or
// the next program, is called although the program has returned something.
//
// build: bpf-ret-half btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void emit_call(struct gen *g, void *fn)
{
	emit_addr(g, X10, (u64)fn);
	emit(g, BLR(X10));	// want FT711 "with fmod_ret program 1 returning 0x7e5700000000.*the enter function of fmod_ret program 2 is called, .* was due"
}
#define emit_call emit_call

static inline void call_function(struct gen *g, const struct tramp *t)
{
	load_args(g, t);
	emit(g, LDR(X10, FP, 8));
	emit(g, ADR(LR, 8));
	emit(g, RET(X10));	// want FT703 "with fmod_ret program 1 returning 0x7e5700000000.*the traced function is called, .* was due"
	emit(g, STR(0, SP, ret_off(t)));
}
#define call_function call_function

#undef cbnz_ret
#define cbnz_ret(off)	(CBNZ(X10, off) & ~(1u << 31))
#include "bpf-rest.h"
