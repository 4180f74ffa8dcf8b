// A JIT without a defect, without and with landing pads.
//
// build: bpf-jit-good btf=yes with=image-callops.S,kernel.c,sites-callops-good.c
// build: bpf-jit-good-bti btf=yes cc=-fno-jump-tables with=image-callops-bti.S,kernel.c,sites-callops-good.c

#define own_jit
#include "bpf-gen.h"
#include "bpf-rest.h"
#include "bpf-jit.h"
