// The assembly of the hooks' samples, era args: the graph tracer is a callback.

#include "../image.inc"
#include "../entry-args.inc"

	image_head
	args_entry_code pad=0
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
