// An image of more than 128 MiB, with the entry code behind the callsites. BL
// reaches ahead 128 MiB less 4 bytes: to the byte for the second.
// 
// want-image FT207 "no room|MiB"
//
// build: reach-ahead def=FAR_TEXT=at_the_edge+4+0x8000000-4

#include "image.inc"
#include "entry-args.inc"

	image_head
	site_functions

	traced	too_far			// want FT201 "too_far"
	traced	at_the_edge

	// the linker puts this at the address of at_the_edge's BL + 128 MiB - 4,
	// ftrace_caller first
	.section .far.text, "ax"
	args_entry_code
	.text

	ftrace_data
