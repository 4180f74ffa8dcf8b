// One lock against recursion for all contexts: the calls of interrupts are lost.

#define OWN_GRAPH_FUNC
#include "sites.h"
#include "sites-rest.h"

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct pt_regs *regs)
{	// want FT117 "ftrace_graph_func.*takes the bit of a task, 0x1 of trace_recursion, as its lock"
	unsigned long bit = 1;

	if (current->tracing_graph_pause)
		return;
	if (current->trace_recursion & bit)
		bit = 1 << 4;	/* it may be an interrupt between two contexts */
	if (current->trace_recursion & bit)
		return;
	current->trace_recursion |= bit;
	hook_return(ip, (unsigned long *)regs->sp);
	current->trace_recursion &= ~bit;
}
