// The assembly of the site functions' samples, era callops with landing pads;
// the compiler leaves them out where only direct calls arrive.

#include "../image.inc"
#include "../entry-callops.inc"

	image_head
	callops_entry_code
	traced	vfs_read, bti=1
	traced	only_called, local
	traced	vfs_write, bti=1
	weak_update_trampoline bti=1
	.section .init.text, "ax"
	traced	start_kernel, bti=1
	ftrace_data
