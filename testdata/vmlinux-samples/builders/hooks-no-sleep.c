// arch_ftrace_update_code that does not say that the core may sleep.
//
// build: hooks-no-sleep with=image-graph.S,kernel.c,hooks-core.c

#include "hooks.h"

void arch_ftrace_update_code(int command)
{
	ftrace_modify_all_code(command);	// want FT117 "^arch_ftrace_update_code breaks .*it passes command 0x0 to ftrace_modify_all_code for 0x0, 0x20 was expected .with FTRACE_MAY_SLEEP"
}

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	hooks_hook_return(ip, parent, frame_pointer);
}
