// A kernel that cannot unload modules, and frees their exit text with their init text.
// That is no defect.
//
// build: kernel-no-unload with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#define NO_UNLOAD
#define IS_INIT(name) (begins(name, ".init") || begins(name, ".exit"))
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
