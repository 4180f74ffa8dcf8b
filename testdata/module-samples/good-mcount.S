// A module without a defect, era mcount.
//
// kernel: kernel-mcount
// build: good-mcount link=module

#include "module.inc"
#include "sites-mcount.inc"

	module	good_mcount, "5.4.0-sample SMP mod_unload aarch64"
	plts	awx
	traced	read_device
	traced	write_device
	.section .init.text, "ax"
	traced	init_module
