// A module without .init.plt, without which the loader refuses it.
//
// kernel: kernel-callops
// build: plt-missing link=module

// want-image FT208 "^the module has no section \.init\.plt.*the kernel's loader, executed, refuses"

#include "module.inc"
#include "sites-callops.inc"

	module	plt_missing, "6.12.0-sample SMP mod_unload aarch64"
	.section .plt, "ax", %progbits
	.byte	0
	.section .text.ftrace_trampoline, "ax", %progbits
	.byte	0
	.section .init.text.ftrace_trampoline, "a", %progbits
	.byte	0
	.text
	traced	read_device
