// A module of a kernel with BTI: what its init text and its text call of each other
// has landing pads, and what they call of their own has none.
//
// kernel: kernel-callops-bti
// build: pads link=module

#include "module.inc"
#include "sites-callops.inc"

	module	pads, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	func	reset_device, local
	bti	j			// BR by X16 or X17 may land here
	ret
	endfunc	reset_device
	func	stop_device, local
	ret
	endfunc	stop_device
	traced	read_device, bti=1
	b	stop_device
	.section .init.text, "ax"
	func	probe, local
	ret
	endfunc	probe
	traced	init_module, bti=1
	b	probe
	b	reset_device
	b	printk_of_another_module
	.section .exit.text, "ax"
	traced	cleanup_module, bti=1
	b	stop_device
