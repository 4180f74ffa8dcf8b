// A generator that asks for 128 bytes more than it needs, which is less than the
// smallest trampoline has: nothing is found.
//
// build: bpf-size-slack btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-calls.h"

#define arch_bpf_trampoline_size counted
#include "bpf-rest.h"
#undef arch_bpf_trampoline_size

int arch_bpf_trampoline_size(const struct btf_func_model *m, u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	int bytes = counted(m, flags, tlinks, func_addr);

	return bytes < 0 ? bytes : bytes + 128;
}
