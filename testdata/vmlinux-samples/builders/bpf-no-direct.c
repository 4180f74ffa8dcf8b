// A generator without a defect, in a kernel whose ftrace has no direct calls.
//
// build: bpf-no-direct btf=yes asdef=DIRECT=0 with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"
#include "bpf-rest.h"

// want-image FT714 "cannot be attached to kernel functions, only to BPF programs.*4 callsites"
