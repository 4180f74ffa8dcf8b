/*
 * A builder of dynamic trampolines for x86-64, in steps, without a defect. A
 * sample that shows a defect puts a step of its own in the place of the correct
 * one, as those in ../builders do:
 *
 *	#include "builder.h"
 *	static void put_return_not(const struct tramp *t) { ... }
 *	#define put_return put_return_not
 *	#include "builder-rest.h"
 *
 * The trampoline:
 *
 *	ftrace_caller or ftrace_regs_caller up to its end label; the op load reads
 *		the literal, the branch to direct calls became a NOP, the slot
 *		calls the callback
 *	ret; int3
 *	literal: the address of the ftrace_ops
 */

#pragma once

#include "../builders/kernel.h"

#define CALL_SIZE	5
#define LOAD_SIZE	7	/* mov literal(%rip), %rdx */
#define RET_SIZE	2	/* ret; int3 */

extern char ftrace_caller_op_ptr[], ftrace_regs_caller_op_ptr[];
extern char ftrace_regs_call[], ftrace_regs_caller_jmp[];

struct mutex {
	u64 words[4];
};
extern struct mutex text_mutex;

void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);
int set_memory_rox(unsigned long addr, int numpages);
void *text_poke(void *addr, const void *opcode, unsigned long len);
void text_poke_bp(void *addr, const void *opcode, unsigned long len, const void *emulate);

struct tramp {
	char		*mem;		/* where it is built */
	const char	*entry;		/* its template */
	unsigned long	code;		/* bytes that are copied */
	unsigned long	op_load;	/* offsets in the trampoline */
	unsigned long	call;
	unsigned long	direct;		/* 0: none */
	unsigned long	literal;
	unsigned long	size;
};

static inline void lay_out(struct tramp *t, const struct ftrace_ops *ops)
{
	if (ops->flags & FTRACE_OPS_FL_SAVE_REGS) {
		t->entry = ftrace_regs_caller;
		t->code = ftrace_regs_caller_end - ftrace_regs_caller;
		t->op_load = ftrace_regs_caller_op_ptr - ftrace_regs_caller;
		t->call = ftrace_regs_call - ftrace_regs_caller;
		t->direct = ftrace_regs_caller_jmp - ftrace_regs_caller;
	} else {
		t->entry = ftrace_caller;
		t->code = ftrace_caller_end - ftrace_caller;
		t->op_load = ftrace_caller_op_ptr - ftrace_caller;
		t->call = ftrace_call - ftrace_caller;
		t->direct = 0;
	}
	t->literal = ALIGN(t->code + RET_SIZE, sizeof(u64));
	t->size = t->literal + sizeof(u64);
}

static inline void *allocate(unsigned long size)
{
	return execmem_alloc(EXECMEM_FTRACE, size);
}

static inline void release(void *mem)
{
	execmem_free(mem);
}

/* A trampoline that could not be built. */
static inline void give_up(void *mem)
{
	release(mem);
}

static inline int copy(const struct tramp *t)
{
	return copy_from_kernel_nofault(t->mem, t->entry, t->code) ? -EFAULT : 0;
}

/* While the memory is writable: plain stores. */
static inline void put_byte(const struct tramp *t, unsigned long offset, unsigned char byte)
{
	t->mem[offset] = byte;
}

static inline void put_word(const struct tramp *t, unsigned long offset, u32 word)
{
	*(u32 *)(t->mem + offset) = word;
}

/* A displacement that stands at an offset, at the end of its instruction. */
static inline void put_displacement(const struct tramp *t, unsigned long offset, unsigned long target)
{
	put_word(t, offset, target - (unsigned long)t->mem - offset - sizeof(u32));
}

static inline void put_return(const struct tramp *t)
{
	put_byte(t, t->code, 0xc3);
	put_byte(t, t->code + 1, 0xcc);
}

/*
 * The one instruction beside the op load that refers to what is not copied:
 * "incq ftrace_calls(%rip)", before the op load, or the first bytes of it.
 */
static inline void relocate(const struct tramp *t)
{
	unsigned long i;

	for (i = 0; i + 7 <= t->code; i++)
		if (*(u32 *)(t->mem + i) << 8 == 0x05ff4800)
			put_word(t, i + 3, *(u32 *)(t->mem + i + 3) + t->entry - t->mem);
}

static inline void load_op(const struct tramp *t, struct ftrace_ops *ops)
{
	*(struct ftrace_ops **)(t->mem + t->literal) = ops;
	put_displacement(t, t->op_load + 3, (unsigned long)t->mem + t->literal);
}

/* Direct calls are for ftrace_regs_caller itself. */
static inline void no_direct(const struct tramp *t)
{
	if (t->direct) {
		put_byte(t, t->direct, 0x66);
		put_byte(t, t->direct + 1, 0x90);
	}
}

static inline void call(const struct tramp *t, ftrace_func_t func)
{
	put_byte(t, t->call, 0xe8);
	put_displacement(t, t->call + 1, (unsigned long)func);
}

/* From writable to executable at once. */
static inline int protect(const struct tramp *t)
{
	return set_memory_rox((unsigned long)t->mem, DIV_ROUND_UP(t->size, PAGE_SIZE));
}

/* The trampoline is in use: as callsites are patched. */
static inline void aim(const struct tramp *t, ftrace_func_t func)
{
	unsigned char insn[CALL_SIZE] = { 0xe8 };

	*(u32 *)(insn + 1) = (unsigned long)func - (unsigned long)t->mem - t->call - CALL_SIZE;
	mutex_lock(&text_mutex);
	text_poke_bp(t->mem + t->call, insn, CALL_SIZE, NULL);
	mutex_unlock(&text_mutex);
}
