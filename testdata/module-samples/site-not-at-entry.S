// A callsite in the middle of a function.
//
// kernel: kernel-regs
// build: site-not-at-entry link=module

#include "module.inc"
#include "sites-nops.inc"

	module	site_not_at_entry, "6.1.0-sample SMP mod_unload aarch64"
	plts
	traced	read_device
	func	poll_device
	mov	x0, #0
	record	.Lsite_inside
.Lsite_inside:
	nop			// want FT407 "not at the entry of a function"
	nop
	ret
	endfunc	poll_device
