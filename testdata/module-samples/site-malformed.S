// A callsite with other words than its era's.
//
// kernel: kernel-regs
// build: site-malformed link=module

#include "module.inc"
#include "sites-nops.inc"

	module	site_malformed, "6.1.0-sample SMP mod_unload aarch64"
	plts
	traced	read_device
	traced	write_device
	func	poll_device
	record	.Lsite_poll_device
.Lsite_poll_device:
	nop			// want FT401 "callsite poll_device.*has other instructions.*d503201f `nop`, d503233f `paciasp`.*has `nop; nop`"
	paciasp
	autiasp
	ret
	endfunc	poll_device
