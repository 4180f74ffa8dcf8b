// Tracing is paused for the task, and its calls are recorded all the same.
//
// build: hooks-paused link=static with=good.c,image-good.S,kernel.c

#define OWN_GRAPH_FUNC
#include "sites.h"
#include "sites-rest.h"

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct pt_regs *regs)
{	// want FT117 "ftrace_graph_func calls function_graph_enter 1 time, 0 was expected.*tracing_graph_pause of the task is 0x1"
	hook_return(ip, (unsigned long *)regs->sp);
}
