// ftrace_disable_ftrace_graph_caller that looks for the wrong old word: the graph
// tracer is not switched off.
//
// build: hooks-graph-stays with=image-graph.S,kernel.c,hooks-core.c

#include "hooks.h"

int ftrace_enable_ftrace_graph_caller(void)
{
	return hooks_enable_graph();
}

int ftrace_disable_ftrace_graph_caller(void)
{				// want FT117 "^ftrace_disable_ftrace_graph_caller returns -22, 0 was expected.*it leaves `b ftrace_graph_caller` at ftrace_graph_call, `nop` was expected"
	return replace((unsigned long)ftrace_graph_call, aarch64_insn_gen_nop(), aarch64_insn_gen_nop());
}

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	hooks_hook_return(ip, parent, frame_pointer);
}
