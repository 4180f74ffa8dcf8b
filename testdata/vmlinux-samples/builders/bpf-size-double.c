// A generator that multiplies the number of bytes by the size of an instruction: it
// asks for four times as much memory as it needs.
//
// build: bpf-size-double btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-calls.h"

#define arch_bpf_trampoline_size counted
#include "bpf-rest.h"
#undef arch_bpf_trampoline_size

int arch_bpf_trampoline_size(const struct btf_func_model *m, u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{				// want FT704 "^arch_bpf_trampoline_size computes far more than is emitted.* it computes [0-9]+ bytes, and [0-9]+ are emitted"
	int bytes = counted(m, flags, tlinks, func_addr);

	return bytes < 0 ? bytes : bytes * 4;
}
