// A module of a kernel with BTI: its init text calls two functions of its text that
// have no landing pad. So does its text, which is never out of reach of itself.
//
// kernel: kernel-callops-bti
// build: pad-missing link=module

#include "module.inc"
#include "sites-callops.inc"

	module	pad_missing, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	func	reset_device, local
	ret				// want FT114 "^reset_device \[pad_missing\] .*begins with no landing pad.*`ret` stands.*the branch at init_module\+0x30.*leaves the module's init text.*1 other function: stop_device"
	endfunc	reset_device
	func	stop_device, local
	ret
	endfunc	stop_device
	func	start_device, local
	paciasp				// a landing pad
	ret
	endfunc	start_device
	traced	read_device, bti=1
	bl	reset_device
	.section .init.text, "ax"
	traced	init_module, bti=1
	b	reset_device
	b	stop_device
	b	start_device
	b	read_device
