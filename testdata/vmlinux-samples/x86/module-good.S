// A module for a kernel with IBT, without a defect. What its own code alone calls has no
// landing pad, and needs none.
//
// kernel: sites-sorted-at-boot
// build: module-good link=module

#include "module.inc"

	module	module_good, "6.12.0-sample SMP mod_unload"
	.type	reset_device, @function
reset_device:
	ret
	.size	reset_device, . - reset_device
	traced_in_module read_device
	traced_in_module write_device
	.section .init.text, "ax"
	func	init_module
	callsite_in_module
	call	reset_device
	ret
	endfunc	init_module
	.section .exit.text, "ax"
	func	cleanup_module
	call	reset_device
	ret
	endfunc	cleanup_module
