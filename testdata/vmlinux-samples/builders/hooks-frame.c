// ftrace_graph_func that hands on the hook's own frame pointer, not that of the
// traced function's caller: the return is not matched with the call.
//
// build: hooks-frame with=image-graph-func.S,kernel.c,hooks-core.c

#include "hooks.h"

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct ftrace_regs *regs)
{				// want FT117 "^ftrace_graph_func breaks .*it passes .* to function_graph_enter as the frame pointer"
	unsigned long *lr = (unsigned long *)regs + 11;
	unsigned long frame = (unsigned long)__builtin_frame_address(0);

	if (!current->tracing_graph_pause && !function_graph_enter(*lr, ip, frame, (unsigned long *)frame))
		*lr = (unsigned long)return_to_handler;
}
