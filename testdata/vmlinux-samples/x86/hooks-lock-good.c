// The lock against recursion, of which each context has its own.

#define OWN_GRAPH_FUNC
#include "sites.h"
#include "sites-rest.h"

static inline int context(u32 count)
{
	if (count & 0xf00000)
		return 0;
	if (count & 0xf0000)
		return 1;
	return count & 0x100 ? 2 : 3;
}

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct pt_regs *regs)
{
	unsigned long bit = 1 << context(preempt_count());

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
