// A branch in a section that is not executable: the loader makes no room for its PLT
// entry.
//
// kernel: kernel-callops
// build: branch-in-data link=module

#include "module.inc"
#include "sites-callops.inc"

	module	branch_in_data, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	.section .fixup, "a", %progbits
	.balign	4
	b	read_device_failed	// want-image FT208 "^section \.fixup has branches and is not executable.*flags A and 1 branch"
