// The assembly of the hooks' samples, era regs up to about 5.16: the graph tracer
// has a slot of its own.

#include "../image.inc"
#include "../entry-regs.inc"

	image_head
	regs_entry_code pad=0, graph=1, hook=0
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
