// Kernels of era mcount that load modules: one that looks at a callsite before it
// writes, and one that does not while it loads its module, as from 6.1 on.
//
// build: kernel-mcount with=../vmlinux-samples/builders/image-mcount.S,../vmlinux-samples/builders/kernel.c
// build: kernel-mcount-6.1 with=../vmlinux-samples/builders/image-mcount.S,../vmlinux-samples/builders/kernel.c cc=-DLOAD_UNSEEN

#define VERMAGIC "5.4.0-sample SMP mod_unload aarch64"
#define NO_INIT_PLT
#include "loader.h"
#include "../vmlinux-samples/builders/sites-mcount-good.c"
