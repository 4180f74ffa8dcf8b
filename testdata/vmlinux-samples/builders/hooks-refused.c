// prepare_ftrace_return that hooks the return address although the core refuses.
//
// build: hooks-refused with=image-graph.S,kernel.c,hooks-core.c

#include "hooks.h"

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{				// want FT117 "^prepare_ftrace_return breaks .*refuses with -16.*it leaves return_to_handler .* as the traced function's return address, which must stay"
	if (current->tracing_graph_pause)
		return;
	function_graph_enter(*parent, ip, frame_pointer, (unsigned long *)frame_pointer);
	*parent = (unsigned long)return_to_handler;
}
