// A JIT that makes programs executable without maintenance of the caches.
//
// build: bpf-no-flush btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline int make_executable_not(unsigned long mem, unsigned long code, unsigned long size)
{
	return set_memory_ro(mem, 1) ? : set_memory_x(mem, 1);	// want FT715 "^bpf_int_jit_compile does not maintain"
}

#define make_executable make_executable_not
#include "bpf-rest.h"
