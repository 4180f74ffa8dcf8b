// A generator that keeps what a fexit program returns: the caller gets that.
//
// build: bpf-ret-fexit btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-calls.h"

static inline void run_program_not(struct gen *g, const struct tramp *t, struct bpf_prog *prog, bool save_ret)
{
	emit(g, ADD(0, SP, t->ctx));
	if (!prog->jited)
		emit_addr(g, 1, (u64)prog->insnsi);
	emit_call(g, prog->bpf_func);
	emit(g, STR(0, SP, ret_off(t)));	// want FT703 "fexit .*x0 is .* at the caller"
}

#define run_program run_program_not
#include "bpf-rest.h"
