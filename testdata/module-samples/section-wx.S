// Sections that are writable and executable: one of the module's own, and one
// that this kernel's loader does not rewrite.
//
// kernel: kernel-callops-6.12
// build: section-wx link=module

#include "module.inc"
#include "sites-callops.inc"
// want-image FT304 "section \.text\.patchme is writable and executable.*of 0x8 bytes, has flags WAX"
// want-image FT304 "section \.init\.text\.ftrace_trampoline .* has flags WAX.*does not rewrite"

	module	section_wx, "6.12.0-sample SMP mod_unload aarch64"
	plts	awx
	.section .init.text.ftrace_trampoline, "awx", %progbits
	.byte	0
	.text
	traced	read_device
	.section .text.patchme, "awx"
notify:
	nop
	ret
