// A kernel that can unload modules, and takes their exit text for init text, which
// it frees.
//
// build: kernel-exit-init with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#define IS_INIT(name) (begins(name, ".init") || begins(name, ".exit"))
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
