// Callsites of era callops: NOPs missing at the entry, and a landing pad in the
// wrong place.
//
// build: site-malformed-callops

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read
	traced	vfs_write
	traced	vfs_fsync

	.balign	8
	record	1f
1:	nop				// want FT401 "one_nop"
	nop
	func	one_nop
	nop
	paciasp
	autiasp
	ret
	endfunc	one_nop

	.balign	8
	record	1f
1:	nop				// want FT401 "pad_between"
	nop
	func	pad_between
	nop
	bti	c
	nop
	ret
	endfunc	pad_between

	ftrace_data
