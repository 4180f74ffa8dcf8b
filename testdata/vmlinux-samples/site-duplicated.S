// One callsite twice in the table, and two that overlap by a word.
//
// build: site-duplicated

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read

	func	vfs_write
	record	1f
	record	1f
1:	nop				// want FT404 "vfs_write"
	nop
	frame_and_return
	endfunc	vfs_write

	func	first_of_two
	record	1f
1:	nop
	func	second_of_two
	record	1f
1:	nop				// want FT404 "first_of_two|second_of_two"
	nop
	frame_and_return
	endfunc	second_of_two
	endfunc	first_of_two

	// back to back is not overlapping
	func	next_a
	record	1f
1:	nop
	nop
	endfunc	next_a
	func	next_b
	record	1f
1:	nop
	nop
	ret
	endfunc	next_b

	ftrace_data
