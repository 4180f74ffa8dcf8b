// A module without a defect, era mcount, for a kernel that makes its callsites NOPs
// whatever stands there.
//
// kernel: kernel-mcount-6.1
// build: good-mcount-6.1 link=module

#include "module.inc"
#include "sites-mcount.inc"

	module	good_mcount_6_1, "5.4.0-sample SMP mod_unload aarch64"
	plts	awx
	traced	read_device
	traced	write_device
	.section .init.text, "ax"
	traced	init_module
