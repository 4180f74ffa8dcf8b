// A module without a defect for a kernel that knows no PLTs for ftrace of init
// text: it needs none.
//
// kernel: kernel-callops-6.12
// build: good-callops-6.12 link=module

#include "module.inc"
#include "sites-callops.inc"

	module	good_callops_6_12, "6.12.0-sample SMP mod_unload aarch64"
	plts
	traced	read_device
	.section .init.text, "ax"
	traced	init_module
