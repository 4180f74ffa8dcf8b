// The functions by which ftrace's core drives the architecture, without a defect, in
// other ways than mainline's: callsites are changed while all other processors are
// stopped, a slot that has the right word already is left alone, and a paused tracer
// is noticed late. The graph tracer is a callback.
//
// build: hooks-func-good with=image-graph-func.S,kernel.c,hooks-core.c
// build: hooks-func-good-scs with=image-graph-func.S,kernel.c,hooks-core.c cc=-ffixed-x18 cc=-fsanitize=shadow-call-stack

#include "hooks.h"

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	unsigned long pc = (unsigned long)ftrace_call;
	u32 old, insn = bl(pc, (unsigned long)func);

	if (aarch64_insn_read((void *)pc, &old))
		return -EFAULT;
	return old == insn ? 0 : aarch64_insn_patch_text_nosync((void *)pc, insn);
}

static int modify(void *command)
{
	ftrace_modify_all_code(*(int *)command);
	return 0;
}

void arch_ftrace_update_code(int command)
{
	stop_machine(modify, &command, NULL);
}

int ftrace_enable_ftrace_graph_caller(void)
{
	return 0;
}

int ftrace_disable_ftrace_graph_caller(void)
{
	return 0;
}

void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	unsigned long *fp = (unsigned long *)regs + 10, *lr = fp + 1;
	unsigned long parent = *lr, frame = *fp;

	if (!current->tracing_graph_pause && !function_graph_enter(parent, ip, frame, (unsigned long *)frame))
		*lr = (unsigned long)return_to_handler;
}

void prepare_ftrace_return(unsigned long ip, unsigned long *parent, unsigned long frame_pointer)
{
	hooks_hook_return(ip, parent, frame_pointer);
}

unsigned long arch_ftrace_get_symaddr(unsigned long fentry_ip)
{
	return fentry_ip - AARCH64_INSN_SIZE;
}
