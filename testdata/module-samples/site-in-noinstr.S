// A callsite in text that must not be instrumented, and functions there that
// are not.
//
// kernel: kernel-callops
// build: site-in-noinstr link=module

#include "module.inc"
#include "sites-callops.inc"

	module	site_in_noinstr, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	.section .noinstr.text, "ax"
	func	quiet
	frame_and_return
	endfunc	quiet
	traced	loud		// want FT405 "callsite loud \[site_in_noinstr\] lies in text that must not .* is in section \.noinstr\.text"
	nop			// .text.behind is aligned to 8 bytes
	.section .text.behind, "ax"
	traced	behind		// begins where .noinstr.text ends
