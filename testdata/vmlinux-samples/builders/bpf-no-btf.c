// A generator without a defect, in a kernel without BTF: nobody knows the layouts of
// the structures that it reads.
//
// build: bpf-no-btf with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"
#include "bpf-rest.h"
