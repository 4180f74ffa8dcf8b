// An image of more than 128 MiB, with callsites behind the entry code. BL reaches
// back 128 MiB: to the byte for the first, 36 bytes too little for the second.
// 
// want-image FT207 "no room|MiB"
//
// build: reach-back def=FAR_TEXT=ftrace_caller+0x8000000-4

#include "image.inc"
#include "entry-args.inc"

	image_head
	args_entry_code
	site_functions

	traced	vfs_read

	// the linker puts this at ftrace_caller + 128 MiB - 4
	.section .far.text, "ax"
	traced	at_the_edge
	traced	too_far			// want FT201 "too_far"
	.text

	ftrace_data
