// A kernel whose loader makes more room than is needed: an entry for each branch,
// also for the second to one target. That is no defect.
//
// build: kernel-plt-roomy with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#define COUNT_ALL
#include "loader.h"
#include "../vmlinux-samples/builders/sites-callops-good.c"
