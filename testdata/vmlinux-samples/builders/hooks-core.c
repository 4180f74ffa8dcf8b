// What the hooks call of ftrace's core, and what that makes of FTRACE_MAY_SLEEP.

#include "hooks.h"

#define FTRACE_MODIFY_ENABLE_FL		BIT(0)
#define FTRACE_MODIFY_MAY_SLEEP_FL	BIT(1)

noinline void ftrace_replace_code(int mod_flags)
{
	asm volatile("" : : "r" (mod_flags));
}

void ftrace_modify_all_code(int command)
{
	int mod_flags = command & FTRACE_MAY_SLEEP ? FTRACE_MODIFY_MAY_SLEEP_FL : 0;

	if (command & BIT(0))
		ftrace_replace_code(mod_flags | FTRACE_MODIFY_ENABLE_FL);
}

int function_graph_enter(unsigned long ret, unsigned long func, unsigned long frame_pointer, unsigned long *retp)
{
	return 0;
}

int stop_machine(int (*fn)(void *data), void *data, const void *cpus)
{
	return fn(data);
}
