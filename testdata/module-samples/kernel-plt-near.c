// A kernel that sends callsites of init text to the PLT of text, which may be
// out of their reach: what "arm64: ftrace: fix unreachable PLT for
// ftrace_caller in init_module" mended, but for the half of it in the loader.
//
// build: kernel-plt-near with=../vmlinux-samples/builders/image-callops.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.12.0-sample SMP mod_unload aarch64"
#include "loader.h"
#include "../vmlinux-samples/builders/sites.h"
#define ftrace_plts(mod, pc) ((mod)->arch.ftrace_trampolines)
#include "../vmlinux-samples/builders/sites-callops-good.c"
