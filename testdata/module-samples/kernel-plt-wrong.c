// A kernel whose PLT entries for ftrace lead past the entry point.
//
// build: kernel-plt-wrong with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#define PLT_TARGET(t) ((t) + 8)
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
