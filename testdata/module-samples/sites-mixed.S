// An object that was built with other flags than the rest.
//
// kernel: kernel-callops
// build: sites-mixed link=module

#include "module.inc"
#include "sites-callops.inc"

	module	sites_mixed, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	traced	write_device
	.balign	8
	func	poll_device
	record	.Lsite_poll_device
.Lsite_poll_device:
	nop			// want FT410 "callsite poll_device.*is `nop; nop` at the function's entry"
	nop
	mov	x0, #0
	ret
	endfunc	poll_device
