// A kernel whose loader leaves the sections for PLT entries writable.
//
// build: kernel-plt-writable with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#define PLT_FLAGS (SHF_EXECINSTR | SHF_ALLOC | SHF_WRITE)
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
