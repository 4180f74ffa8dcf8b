// Two calls and a tail call of one function, and a kernel that makes more room than
// they need.
//
// kernel: kernel-plt-roomy
// build: plt-roomy link=module

#include "module.inc"
#include "sites-callops.inc"

	module	plt_roomy, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	traced	write_device
	func	log
	b	_printk
	endfunc	log
