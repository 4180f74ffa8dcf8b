/*
 * The functions by which ftrace's core drives the architecture, without a defect,
 * and what they call of the core.
 */

#pragma once

#include "sites.h"

#define FTRACE_MAY_SLEEP	BIT(5)

/* core: hooks-core.c */

void ftrace_modify_all_code(int command);
int function_graph_enter(unsigned long ret, unsigned long func, unsigned long frame_pointer, unsigned long *retp);
int stop_machine(int (*fn)(void *data), void *data, const void *cpus);

/* the architecture */

struct task_struct {
	unsigned long	thread_info[64];
	int		tracing_graph_pause;
};

static inline struct task_struct *get_current(void)
{
	struct task_struct *task;

	asm("mrs %0, sp_el0" : "=r" (task));
	return task;
}

#define current		get_current()

void return_to_handler(void);

static inline int hooks_update_func(ftrace_func_t func)
{
	unsigned long pc = (unsigned long)ftrace_call;

	return aarch64_insn_patch_text_nosync((void *)pc, bl(pc, (unsigned long)func)) ? -1 : 0;
}

static inline u32 graph_branch(void)
{
	return aarch64_insn_gen_branch_imm((unsigned long)ftrace_graph_call, (unsigned long)ftrace_graph_caller,
					   AARCH64_INSN_BRANCH_NOLINK);
}

static inline int hooks_enable_graph(void)
{
	return replace((unsigned long)ftrace_graph_call, aarch64_insn_gen_nop(), graph_branch());
}

static inline int hooks_disable_graph(void)
{
	return replace((unsigned long)ftrace_graph_call, graph_branch(), aarch64_insn_gen_nop());
}

static inline void hooks_hook_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	if (current->tracing_graph_pause)
		return;
	if (!function_graph_enter(*parent, ip, frame_pointer, (unsigned long *)frame_pointer))
		*parent = (unsigned long)return_to_handler;
}
