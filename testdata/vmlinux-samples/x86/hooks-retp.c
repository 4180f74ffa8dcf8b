// The core is told another place of the return address than the one that is hooked.

#define OWN_GRAPH_FUNC
#include "sites.h"
#include "sites-rest.h"

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct pt_regs *regs)
{	// want FT117 "ftrace_graph_func.*passes .* to function_graph_enter as retp .rcx., .* was expected"
	unsigned long *parent = (unsigned long *)regs->sp;

	if (!current->tracing_graph_pause && !function_graph_enter(parent_ip, ip, 0, &regs->sp))
		*parent = (unsigned long)return_to_handler;
}
