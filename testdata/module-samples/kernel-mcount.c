// A kernel of era mcount that loads modules.
//
// build: kernel-mcount with=../vmlinux-samples/builders/image-mcount.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "5.4.0-sample SMP mod_unload aarch64"
#define NO_INIT_PLT
#include "loader.h"
#include "../vmlinux-samples/builders/sites-mcount-good.c"
