// A module without a defect, era callops: for a kernel with PLTs for ftrace of
// init text, without landing pads and with them.
//
// kernel: kernel-callops
// build: good-callops link=module
// build: good-callops-bti link=module asdef=BTI

#include "module.inc"
#include "sites-callops.inc"
#ifdef BTI
#define PAD 1
#else
#define PAD 0
#endif

	module	good_callops, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device, local, PAD
	traced	write_device, globl, PAD
	.section .init.text, "ax"
	traced	init_module, globl, PAD
	.section .exit.text, "ax"
	traced	cleanup_module, globl, PAD
