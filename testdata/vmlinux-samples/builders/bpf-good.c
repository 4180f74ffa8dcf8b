// A generator of BPF trampolines without a defect, without and with landing pads.
//
// build: bpf-good btf=yes with=image-callops.S,kernel.c,sites-callops-good.c
// build: bpf-good-bti btf=yes with=image-callops-bti.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"
#include "bpf-rest.h"
