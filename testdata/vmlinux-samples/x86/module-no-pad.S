// A module that was built without landing pads, for a kernel with IBT.
//
// kernel: sites-sorted-at-boot
// build: module-no-pad link=module

#include "module.inc"

	module	module_no_pad, "6.12.0-sample SMP mod_unload"
	.globl	read_device, init_module
	.type	read_device, @function
read_device:
	callsite_in_module
	ret
	.size	read_device, . - read_device
	.section .init.text, "ax"
	.type	init_module, @function
init_module:
	ret	// want FT114 "^init_module begins with no landing pad, and the kernel calls it by a pointer.*`ret` stands.*none of 1 callsite of the module has a landing pad"
	.size	init_module, . - init_module
