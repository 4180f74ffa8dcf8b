// Kernels of era callops that load modules: one that knows PLTs for ftrace of
// init text, as from 6.17 on, and one that does not.
//
// build: kernel-callops with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c
// build: kernel-callops-6.12 with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c cc=-DNO_INIT_PLT
// build: kernel-callops-bti with=../vmlinux-samples/builders/image-callops-bti.S,../vmlinux-samples/builders/kernel.c cc=-mbranch-protection=standard

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
