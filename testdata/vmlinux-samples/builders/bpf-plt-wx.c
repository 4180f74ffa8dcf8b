// bpf_arch_text_poke that makes the program's page writable for the literal's sake,
// while it is executable.
//
// build: bpf-plt-wx btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline int write_literal_not(u64 *literal, u64 v)
{
	unsigned long page = ALIGN_DOWN((unsigned long)literal, PAGE_SIZE);

	if (set_memory_rw(page, 1))	// want FT708 "^(bpf_arch_text_poke|write_literal_not) makes a page .* for a moment.*it does so in 20 cases"
		return -EFAULT;
	*(volatile u64 *)literal = v;
	return set_memory_ro(page, 1);
}

#define write_literal write_literal_not
#include "bpf-rest.h"
