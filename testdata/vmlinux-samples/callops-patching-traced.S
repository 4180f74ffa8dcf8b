// Without kprobes nothing keeps the functions that patch text from having callsites: here
// the maker of branches, which ftrace_modify_call() calls while its own is enabled. It is
// the first callsite, and not one where other words may be put.
//
// build: callops-patching-traced

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	.text
	site_functions adjust=callops, far=caller, traced=1
	weak_update_trampoline
	traced	schedule_work_on

	ftrace_data
