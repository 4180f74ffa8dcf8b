// A bpf_arch_text_poke that writes the literal of a program's PLT by two stores of
// 4 bytes.
//
// build: bpf-plt-halves btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static __always_inline void write_half(u32 *half, u32 v)
{
	*(volatile u32 *)half = v;
}

static inline int write_literal_not(u64 *literal, u64 v)
{
	unsigned long page = ALIGN_DOWN((unsigned long)literal, PAGE_SIZE);
	u32 *half = (u32 *)literal;

	if (set_memory_rw(page, 1))	// want FT708 "^(bpf_arch_text_poke|write_literal_not) makes a page .* for a moment"
		return -EFAULT;
	write_half(&half[0], v);	// want FT707 "^(bpf_arch_text_poke|write_literal_not) writes the literal of a program.s PLT in parts.*by stores of 4 bytes"
	write_half(&half[1], v >> 32);
	return set_memory_ro(page, 1);
}

#define write_literal write_literal_not
#include "bpf-rest.h"
