// A callsite in identity-map text where 6.6 and later have it: behind .rodata.
//
// build: site-in-idmap-6.12 def=LAYOUT_6_12

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read
	.section .idmap.text, "ax"
	traced	cpu_resume_mmu		// want FT405 "cpu_resume_mmu .*idmap"
	.text
	ftrace_data
