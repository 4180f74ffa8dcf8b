// A JIT that puts a program at any multiple of 4 bytes: so is the literal of its PLT.
//
// build: bpf-plt-unaligned btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline unsigned long place_not(void)
{
	return (get_random_u32() >> 26) * 4;	// want FT707 "^bpf_int_jit_compile does not align.*4 mod 8"
}

#define place place_not
#include "bpf-rest.h"
