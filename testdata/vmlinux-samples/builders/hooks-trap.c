// arch_ftrace_update_code that dies of a command that the core gives it.
//
// build: hooks-trap with=image-graph.S,kernel.c,hooks-core.c

#include "hooks.h"

void arch_ftrace_update_code(int command)
{
	if (command & BIT(4))		// want FT117 "^arch_ftrace_update_code breaks .*it comes to a trap: brk #0x(3e8|1) "
		__builtin_trap();
	ftrace_modify_all_code(command | FTRACE_MAY_SLEEP);
}

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	hooks_hook_return(ip, parent, frame_pointer);
}
