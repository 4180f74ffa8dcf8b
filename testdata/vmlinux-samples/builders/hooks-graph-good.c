// The functions by which ftrace's core drives the architecture, without a defect,
// era regs with a slot for the graph tracer.
//
// build: hooks-graph-good with=image-graph.S,kernel.c,hooks-core.c

#include "hooks.h"

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return hooks_update_func(func);
}

void arch_ftrace_update_code(int command)
{
	ftrace_modify_all_code(command | FTRACE_MAY_SLEEP);
}

int ftrace_enable_ftrace_graph_caller(void)
{
	return hooks_enable_graph();
}

int ftrace_disable_ftrace_graph_caller(void)
{
	return hooks_disable_graph();
}

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	hooks_hook_return(ip, parent, frame_pointer);
}
