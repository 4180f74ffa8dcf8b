// A kernel whose loader makes no room for PLT entries of tail calls, which are
// branches as much as calls are.
//
// build: kernel-plt-small with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#define IS_BRANCH(t) ((t) == R_AARCH64_CALL26)
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
