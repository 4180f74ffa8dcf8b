// KASLR moves blank entries, which have relocations, to where no text is. The
// kernel passes over those alone that are zero.
//
// build: blank-moved link=relr def=RELR_BITS=0xff

#include "image.inc"
#include "entry-callops.inc"
#include "process-locs.inc"

	blanked	3
	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller
	process_locs modules, zero, callops	// want FT408 "^ftrace_process_locs does not make .*executed on 3 entries and 3 blank ones, as KASLR leaves those \(0x0, 0x200000, 0x3a5c18210000\):.*it has ftrace_call_adjust look at a blank entry, 0x3a5c18210000, where no text is"
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
