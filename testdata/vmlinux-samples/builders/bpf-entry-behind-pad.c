// bpf_arch_text_poke that forgets the landing pad at a program's entry.
//
// build: bpf-entry-behind-pad btf=yes with=image-callops-bti.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline int find_nop_not(unsigned long entry, unsigned long *pc)
{
	*pc = entry + 4;
	return 0;
}

#define find_nop find_nop_not
#define own_poke
#include "bpf-rest.h"

int bpf_arch_text_poke(void *ip, enum bpf_text_poke_type poke_type, void *old_addr, void *new_addr)
{				// want FT712 "to attach a near trampoline, it returns -22"
	return poke(ip, poke_type, old_addr, new_addr);
}
