// A generator that leaks its buffer when the copy fails.
//
// build: bpf-leak btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline int failed_not(void *out)
{
	return -EINVAL;
}

#define failed failed_not
#define own_prepare
#include "bpf-rest.h"

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{				// want FT716 "aarch64_insn_copy failing.*it does not free the 0x.* bytes that it got from kvmalloc_node"
	return prepare(im, image, image_end, m, flags, tlinks, func_addr);
}
