// A generator without a defect, whose entry is a few instructions: another function
// does the work.
//
// build: bpf-small-entry btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_prepare
#include "bpf-gen.h"
#include "bpf-rest.h"

static noinline int work(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
			 u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	return prepare(im, image, image_end, m, flags, tlinks, func_addr);
}

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	return work(im, image, image_end, m, flags, tlinks, func_addr);
}
