// Callsites of era regs whose words are not two NOPs.
//
// build: site-malformed

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read
	traced	vfs_write
	traced	vfs_fsync
	traced	vfs_statfs

	func	nop_pac_nop
	record	1f
1:	nop				// want FT401 "nop_pac_nop"
	paciasp
	nop
	autiasp
	ret
	endfunc	nop_pac_nop

	func	one_nop_late
	record	1f
1:	paciasp				// want FT401 "one_nop_late"
	nop
	nop
	autiasp
	ret
	endfunc	one_nop_late

	func	x86_nop			// 5 bytes of an x86 NOP, and padding
	record	1f
1:	.inst	0x00441f0f		// want FT401 "x86_nop"
	.inst	0xd5032000
	ret
	endfunc	x86_nop

	ftrace_data
