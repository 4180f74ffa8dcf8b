// A kernel with a JIT and without a generator of BPF trampolines: the core's functions
// refuse. This one is larger than such a function usually is.
//
// build: bpf-stub btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_prepare
#include "bpf-gen.h"
#include "bpf-rest.h"

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	asm volatile("stp x29, x30, [sp, #-16]!\n\tmov x29, sp\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tldp x29, x30, [sp], #16" ::: "memory");
	return -ENOTSUPP;
}
