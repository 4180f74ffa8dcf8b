// Built for BTI, and the linker has put veneers between a branch and functions that it
// does not reach. Two of these have no landing pad.
//
// build: veneer-no-pad def=LAYOUT_6_12

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read, bti=1
	traced	vfs_write, local, bti=1
	weak_update_trampoline bti=1

	func	far_open
	ret				// want FT114 "^far_open begins with no landing pad.*`ret` stands.*reached by BR x16 or x17 in __far_open_veneer"
	endfunc	far_open
	func	far_close
	ret				// want FT114 "^far_close .*is reached by BR x16 or x17 in __AArch64ADRPThunk_far_close"
	endfunc	far_close
	func	far_read
	paciasp
	ret
	endfunc	far_read
	func	far_write
	bti	j
	ret
	endfunc	far_write
	func	near
	ret
	endfunc	near

	func	__far_open_veneer	// as ld.bfd makes them out of reach of ADRP
	ldr	x16, 1f
	adr	x17, .
	add	x16, x16, x17
	br	x16
1:	.quad	far_open - __far_open_veneer - 4
	endfunc	__far_open_veneer
	func	__AArch64ADRPThunk_far_close
	adrp	x16, far_close
	add	x16, x16, :lo12:far_close
	br	x16
	endfunc	__AArch64ADRPThunk_far_close
	func	__far_read_veneer
	adrp	x16, far_read
	add	x16, x16, :lo12:far_read
	br	x16
	endfunc	__far_read_veneer
	func	__far_write_veneer
	adrp	x17, far_write
	add	x17, x17, :lo12:far_write
	br	x17
	endfunc	__far_write_veneer
	func	__near_veneer		// goes there by B
	b	near
	endfunc	__near_veneer
	ftrace_data
