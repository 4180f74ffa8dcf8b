// A generator of BPF trampolines without a defect, which writes to the memory that the
// core of BPF has allocated: arm64 in 6.8, where arch_alloc_bpf_trampoline() and
// arch_protect_bpf_trampoline() are the functions of the core.
//
// build: bpf-good-in-place btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_prepare
#include "bpf-gen.h"

#define arch_alloc_bpf_trampoline alloc_read_only
#include "bpf-rest.h"
#undef arch_alloc_bpf_trampoline

void *arch_alloc_bpf_trampoline(unsigned int size)
{
	return bpf_jit_alloc_exec(size);
}

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	struct gen g = { .at = (unsigned long)image, .out = image };
	struct tramp t = { .im = im, .m = m, .flags = flags, .links = tlinks, .func = func_addr };
	int ret = generate(&g, &t);

	if (ret > 0)
		caches_clean_inval_pou((unsigned long)image, (unsigned long)image + ret);
	return ret;
}
