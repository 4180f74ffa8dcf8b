// bpf_arch_text_poke that leaves the program's page writable.
//
// build: bpf-plt-stays-wx btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline int write_literal_not(u64 *literal, u64 v)
{
	if (set_memory_rw(ALIGN_DOWN((unsigned long)literal, PAGE_SIZE), 1))	// want FT708 "^bpf_arch_text_poke leaves a page of a BPF program writable and executable"
		return -EFAULT;
	*(volatile u64 *)literal = v;
	return 0;
}

#define write_literal write_literal_not
#include "bpf-rest.h"
