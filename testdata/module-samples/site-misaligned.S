// A literal that is not aligned, era callops.
//
// kernel: kernel-callops
// build: site-misaligned link=module

#include "module.inc"
#include "sites-callops.inc"

	module	site_misaligned, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	.balign	8
	nop
	record	.Lsite_poll_device
.Lsite_poll_device:
	nop			// want FT402 "poll_device.*4 bytes off 8-byte alignment"
	nop
	func	poll_device
	nop
	nop
	ret
	endfunc	poll_device
