// Callsites that no function symbol goes with: what is left of an overridden weak
// function, and one in the middle of a function. A static function, an alias, and
// a landing pad before the NOPs are all fine. The image called moved is of
// another build: there is more code, before the callsites and in a function with
// one. The one called disabled has what disables such callsites at boot.
//
// build: site-not-at-entry
// build: site-not-at-entry-moved asdef=MOVED
// build: site-not-at-entry-disabled asdef=DISABLED

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

#ifdef MOVED
	traced	vfs_open
	.rept	1000
	nop
	.endr
#endif
#ifdef DISABLED
	notrace	ftrace_check_work_func
#endif
	traced	vfs_read
	traced	vfs_write, local
	traced	vfs_fsync, bti=1

	record	1f			// its weak function's symbol went away
1:	nop				// want FT407 "^2 callsites are not at the entry.*vfs_fsync[+].*late[+]0x[8c]"
	nop
	frame_and_return

	func	late
	paciasp
	mov	x10, x0
#ifdef MOVED
	mov	x11, x1
#endif
	record	1f
1:	nop
	nop
	autiasp
	ret
	endfunc	late

	func	alias_a
	func	alias_b, weak
	record	1f
1:	nop
	nop
	frame_and_return
	endfunc	alias_b
	endfunc	alias_a

	ftrace_data
