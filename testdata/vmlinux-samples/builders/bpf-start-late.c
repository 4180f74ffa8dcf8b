// A generator that keeps the start time behind the branch that skips a program: the
// exit function gets that of the program before.
//
// build: bpf-start-late btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-calls.h"

static inline void invoke_not(struct gen *g, const struct tramp *t, const struct bpf_tramp_link *l, bool save_ret)
{
	struct bpf_prog *prog = l->link.prog;
	struct hooks hooks = hooks_of(prog);
	int skip;

	set_cookie(g, t, l->cookie);
	emit_addr(g, X19, (u64)prog);
	emit(g, MOV(0, X19));
	emit(g, ADD(1, SP, t->run_ctx));
	emit_call(g, hooks.enter);
	skip = g->n;
	emit(g, 0);
	emit(g, MOV(X20, 0));
	run_program(g, t, prog, save_ret);
	land(g, skip, cbz_x0);
	emit(g, MOV(0, X19));
	emit(g, MOV(1, X20));	// want FT711 "with fentry program 1 skipped.*x1 .the start time. is .* 0x0 was expected"
	emit(g, ADD(2, SP, t->run_ctx));
	emit_call(g, hooks.exit);
}

#define invoke invoke_not
#include "bpf-rest.h"
