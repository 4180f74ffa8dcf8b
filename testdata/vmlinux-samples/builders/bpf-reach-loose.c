// A generator that takes a BL for calls up to 256 MiB away: what it emits is the BRK
// of what cannot be encoded.
//
// build: bpf-reach-loose btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void emit_call_not(struct gen *g, void *fn)
{
	unsigned long pc = g->at + g->n * 4;
	long offset = (unsigned long)fn - pc;

	if (g->at && offset >= -2 * SZ_128M && offset < 2 * SZ_128M) {
		emit(g, aarch64_insn_gen_branch_imm(pc, (unsigned long)fn, AARCH64_INSN_BRANCH_LINK));	// want FT706 "beyond .*brk #0x100"
		return;
	}
	emit_addr(g, X10, (u64)fn);
	emit(g, BLR(X10));
}

#define emit_call emit_call_not
#include "bpf-rest.h"
