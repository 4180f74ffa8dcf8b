// A generator that puts a word that traps behind the code, for which it has computed
// no room.
//
// build: bpf-copy-end btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void *copy_out_not(void *image, void *out, unsigned long size)
{
	u32 end = 0xd4200000;

	if (!aarch64_insn_copy(image, out, size))
		return NULL;
	return aarch64_insn_copy(image + size, &end, sizeof(end));	// want FT705 "^arch_prepare_bpf_trampoline writes outside.*it writes 4 bytes at .* of a buffer"
}

#define copy_out copy_out_not
#include "bpf-rest.h"
