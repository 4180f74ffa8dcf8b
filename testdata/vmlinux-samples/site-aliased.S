// Two callsites that overlap, the last words of one being the literal of the other,
// of functions with several names. Findings and their notes call the functions
// vfs_read and vfs_open: the shortest of the global names, whatever the order of the
// symbol table. A callsite begins before its function, where the name of the
// function before it would mislead.
//
// build: site-aliased link=relr def=LAYOUT_6_12 def=RELR_BITS=0xff

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_fsync

	.balign	8
	record	.Lread
.Lread:	nop
	nop
	func	__pi_vfs_read
	func	rd, local
	func	vfs_read
	func	vfs_read_slow, weak
	record	.Lopen
.Lopen:	nop				// want FT404 "^callsite vfs_open overlaps.* 8 bytes behind callsite vfs_read .0x"
	nop
	func	open, local
	func	__se_vfs_open
	func	vfs_open
	nop
	nop
	frame_and_return
	.irp	name, __pi_vfs_read, rd, vfs_read, vfs_read_slow, open, __se_vfs_open, vfs_open
	endfunc	\name
	.endr

	ftrace_data
