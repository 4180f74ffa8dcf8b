// ftrace_update_ftrace_func that hides an error of the writer.
//
// build: hooks-error-hidden with=image-graph.S,kernel.c,hooks-core.c

#include "hooks.h"

int ftrace_update_ftrace_func(ftrace_func_t func)
{				// want FT117 "^ftrace_update_ftrace_func returns 0, an error was expected.*ftrace_call cannot be written"
	hooks_update_func(func);
	return 0;
}

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	hooks_hook_return(ip, parent, frame_pointer);
}
