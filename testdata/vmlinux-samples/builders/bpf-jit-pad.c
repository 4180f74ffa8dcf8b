// A JIT whose programs can be called, but not branched to by the PLT of a program that
// they replace.
//
// build: bpf-jit-pad btf=yes cc=-fno-jump-tables with=image-callops-bti.S,kernel.c,sites-callops-good.c

#define own_jit
#include "bpf-gen.h"
#include "bpf-rest.h"

#define entry_pad	BTI_C
static struct bpf_prog *compile(struct bpf_prog *prog);
#define bpf_int_jit_compile	compile
#include "bpf-jit.h"
#undef bpf_int_jit_compile

struct bpf_prog *bpf_int_jit_compile(struct bpf_prog *prog)
{				// want FT710 "a program that replaces another's function.*which has no landing pad"
	return compile(prog);
}
