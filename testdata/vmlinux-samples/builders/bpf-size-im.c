// A generator that counts three words for the address of struct bpf_tramp_image, and
// emits four where bits 48 to 63 are not all set: with a tag there, or with 52 bits.
//
// build: bpf-size-im btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-calls.h"

static inline void call_tramp_not(struct gen *g, const struct tramp *t, void *fn)
{
	u64 im = (u64)t->im;

	if (t->counted || im >> 48 == 0xffff) {
		emit(g, MOVN(0, ~im & 0xffff, 0));
		emit(g, MOVK(0, im >> 16 & 0xffff, 1));
		emit(g, MOVK(0, im >> 32 & 0xffff, 2));
	} else {
		emit_addr(g, 0, im);
	}
	emit_call(g, fn);
}

#define call_tramp call_tramp_not
#define own_prepare
#include "bpf-rest.h"

int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{				// want FT704 "at a tagged address.*it emits more than the .* bytes that it has computed"
	return prepare(im, image, image_end, m, flags, tlinks, func_addr);
}
