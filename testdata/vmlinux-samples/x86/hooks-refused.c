// The return address is hooked although the core records no call.
//
// build: hooks-refused link=static with=good.c,image-good.S,kernel.c

#define OWN_GRAPH_FUNC
#include "sites.h"
#include "sites-rest.h"

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct pt_regs *regs)
{	// want FT117 "ftrace_graph_func.*refuses with -16.*leaves return_to_handler .* as the traced function's return address, which must stay"
	unsigned long *parent = (unsigned long *)regs->sp;

	if (current->tracing_graph_pause)
		return;
	function_graph_enter(parent_ip, ip, 0, parent);
	*parent = (unsigned long)return_to_handler;
}
