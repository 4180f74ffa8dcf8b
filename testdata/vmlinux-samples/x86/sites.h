/*
 * The functions that turn callsites on and off, without a defect, in steps. They
 * are in every image: a sample that shows a defect of theirs puts a step of its
 * own in the place of the correct one.
 */

#pragma once

#include "builder.h"

#define MCOUNT_ADDR	((unsigned long)__fentry__)

extern char __fentry__[];
extern int ftrace_poke_late;

void text_poke_early(void *addr, const void *opcode, unsigned long len);
void text_poke_queue(void *addr, const void *opcode, unsigned long len, const void *emulate);
void text_poke_finish(void);
void sort(void *base, unsigned long num, unsigned long size, int (*cmp)(const void *a, const void *b), void *swap);

struct insn {
	unsigned char bytes[CALL_SIZE];
};

static inline struct insn nop_insn(void)
{
	return (struct insn){ { 0x0f, 0x1f, 0x44, 0x00, 0x00 } };
}

static inline struct insn call_insn(unsigned long ip, unsigned long addr)
{
	struct insn insn = { { 0xe8 } };

	*(u32 *)(insn.bytes + 1) = addr - ip - CALL_SIZE;
	return insn;
}

/* -EINVAL if another instruction than the old one stands there. */
static inline int verify(unsigned long ip, const struct insn *old)
{
	struct insn now;
	int i;

	if (copy_from_kernel_nofault(&now, (void *)ip, CALL_SIZE))
		return -EFAULT;
	for (i = 0; i < CALL_SIZE; i++)
		if (now.bytes[i] != old->bytes[i])
			return -EINVAL;
	return 0;
}

/* While the kernel boots nobody executes the callsite; later, others may. */
static inline void write_insn(unsigned long ip, const struct insn *insn)
{
	if (ftrace_poke_late)
		text_poke_queue((void *)ip, insn, CALL_SIZE, NULL);
	else
		text_poke_early((void *)ip, insn, CALL_SIZE);
}

/* The callback that is called while no ops has a trampoline of its own. */
static inline void set_slot(char *slot, ftrace_func_t func)
{
	struct insn insn = call_insn((unsigned long)slot, (unsigned long)func);

	text_poke_bp(slot, &insn, CALL_SIZE, NULL);
}

/* The graph tracer. */

struct task_struct {
	unsigned long	thread_info[64];
	int		tracing_graph_pause;
	unsigned long	trace_recursion;
};

struct pt_regs {
	unsigned long	before_sp[19], sp, ss;
};

/* A variable of the processor, which is at GS. */
extern struct task_struct *current_task;

static inline struct task_struct *get_current(void)
{
	struct task_struct *task;

	asm("movq %%gs:%1, %0" : "=r" (task) : "m" (current_task));
	return task;
}

#define current		get_current()

/* Also one: the number of reasons not to schedule, with those for each context. */
extern u32 __preempt_count;

static inline u32 preempt_count(void)
{
	u32 count;

	asm("movl %%gs:%1, %0" : "=r" (count) : "m" (__preempt_count));
	return count;
}

int function_graph_enter(unsigned long ret, unsigned long func, unsigned long frame_pointer, unsigned long *retp);
void return_to_handler(void);

/* x86 has no frame pointer that the core could test. */
static inline void hook_return(unsigned long ip, unsigned long *parent)
{
	if (!function_graph_enter(*parent, ip, 0, parent))
		*parent = (unsigned long)return_to_handler;
}
