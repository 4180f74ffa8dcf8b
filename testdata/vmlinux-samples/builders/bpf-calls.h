/* Steps of the generator that others are made of. */

#pragma once

#include "bpf-gen.h"

#ifndef emit_call
static inline void emit_call(struct gen *g, void *fn)
{
	unsigned long pc = g->at + g->n * 4;
	long offset = (unsigned long)fn - pc;

	if (g->at && offset >= -SZ_128M && offset < SZ_128M) {
		emit(g, aarch64_insn_gen_branch_imm(pc, (unsigned long)fn, AARCH64_INSN_BRANCH_LINK));
		return;
	}
	emit_addr(g, X10, (u64)fn);
	emit(g, BLR(X10));
}
#endif

#ifndef call_tramp
static inline void call_tramp(struct gen *g, const struct tramp *t, void *fn)
{
	emit_addr(g, 0, (u64)t->im);
	emit_call(g, fn);
}
#endif

#ifndef note_after_call
/* Where the trampoline can be cut short: a NOP that becomes a branch to the epilogue. */
static inline void note_after_call(struct gen *g, const struct tramp *t)
{
	if (!t->counted)
		t->im->ip_after_call = (void *)(g->at + g->n * 4);
	emit(g, NOP);
}
#endif

#ifndef note_epilogue
static inline void note_epilogue(struct gen *g, const struct tramp *t)
{
	if (!t->counted)
		t->im->ip_epilogue = (void *)(g->at + g->n * 4);
}
#endif

#ifndef set_cookie
static inline void set_cookie(struct gen *g, const struct tramp *t, u64 cookie)
{
	emit_addr(g, X10, cookie);
	emit(g, STR(X10, SP, t->run_ctx));
}
#endif

#ifndef run_program
static inline void run_program(struct gen *g, const struct tramp *t, struct bpf_prog *prog, bool save_ret)
{
	emit(g, ADD(0, SP, t->ctx));
	if (!prog->jited)
		emit_addr(g, 1, (u64)prog->insnsi);
	emit_call(g, prog->bpf_func);
	if (save_ret)
		emit(g, STR(0, SP, ret_off(t)));
}
#endif
