// A generator that counts a word too many for a structure, and refuses functions whose
// arguments are all in registers.
//
// build: bpf-struct-refused btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#define own_prepare
#include "bpf-gen.h"
#include "bpf-rest.h"

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{				// want FT716 "returns -524 .-ENOTSUPP. for a function whose arguments are all in registers"
	int words = 0;

	for (int i = 0; i < m->nr_args; i++)
		words += m->arg_size[i] / 8 + 1 - (m->arg_size[i] == 8);
	return words > 8 ? -ENOTSUPP : prepare(im, image, image_end, m, flags, tlinks, func_addr);
}
