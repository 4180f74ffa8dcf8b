// A generator that returns less than it has emitted: its last instruction is not counted.
//
// build: bpf-size-short btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_prepare
#include "bpf-gen.h"
#include "bpf-rest.h"

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{				// want FT704 "it returns [0-9]+, and has emitted more"
	int ret = prepare(im, image, image_end, m, flags, tlinks, func_addr);

	return ret < 0 ? ret : ret - 4;
}
