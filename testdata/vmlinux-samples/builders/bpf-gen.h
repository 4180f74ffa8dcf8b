/*
 * A generator of BPF trampolines without a defect. This is what its steps are made
 * of; the steps are in bpf-calls.h and bpf-rest.h. A sample that shows a defect puts
 * a step of its own in the place of the correct one:
 *
 *	#include "bpf-gen.h"
 *	static void save_args_not(struct gen *g, const struct tramp *t) { ... }
 *	#define save_args save_args_not
 *	#include "bpf-rest.h"
 *
 * The trampoline's frame, from x29 down:
 *
 *	x29 + 16	record of the caller: its x29, and where the function returns to
 *	x29		record of the function: the address of the other, and its body
 *	x29 - 16	x19, x20
 *	t->ctx		the context: the arguments, then the return value; in front of
 *			it the number of arguments, and the function's address
 *	t->run_ctx	struct bpf_tramp_run_ctx
 *	SP
 *
 * struct_ops has one record.
 */

#pragma once

#include "bpf.h"

/* Instructions. */

#define X9	9
#define X10	10
#define X19	19
#define X20	20
#define FP	29
#define LR	30
#define SP	31
#define XZR	31

#define STR(rt, rn, off)	(0xf9000000 | (off) / 8 << 10 | (rn) << 5 | (rt))
#define LDR(rt, rn, off)	(0xf9400000 | (off) / 8 << 10 | (rn) << 5 | (rt))
#define STP(rt, rt2, rn, off)	(0xa9000000 | ((off) / 8 & 0x7f) << 15 | (rt2) << 10 | (rn) << 5 | (rt))
#define LDP(rt, rt2, rn, off)	(0xa9400000 | ((off) / 8 & 0x7f) << 15 | (rt2) << 10 | (rn) << 5 | (rt))
#define PUSH(rt, rt2)		(0xa9bf0000 | (rt2) << 10 | SP << 5 | (rt))
#define POP(rt, rt2)		(0xa8c10000 | (rt2) << 10 | SP << 5 | (rt))
#define ADD(rd, rn, imm)	(0x91000000 | (imm) << 10 | (rn) << 5 | (rd))
#define SUB(rd, rn, imm)	(0xd1000000 | (imm) << 10 | (rn) << 5 | (rd))
#define MOV(rd, rm)		(0xaa0003e0 | (rm) << 16 | (rd))
#define MOVZ(rd, imm, n)	(0xd2800000 | (n) << 21 | (u32)(imm) << 5 | (rd))
#define MOVN(rd, imm, n)	(0x92800000 | (n) << 21 | (u32)(imm) << 5 | (rd))
#define MOVK(rd, imm, n)	(0xf2800000 | (n) << 21 | (u32)(imm) << 5 | (rd))
#define ADR(rd, off)		(0x10000000 | (off) / 4 << 5 | (rd))
#define LDR_LIT(rt, off)	(0x58000000 | (off) / 4 << 5 | (rt))
#define B(off)			(0x14000000 | ((off) / 4 & 0x3ffffff))
#define CBZ(rt, off)		(0xb4000000 | ((off) / 4 & 0x7ffff) << 5 | (rt))
#define CBNZ(rt, off)		(0xb5000000 | ((off) / 4 & 0x7ffff) << 5 | (rt))
#define BR(rn)			(0xd61f0000 | (rn) << 5)
#define BLR(rn)			(0xd63f0000 | (rn) << 5)
#define RET(rn)			(0xd65f0000 | (rn) << 5)
#define NOP			0xd503201f
#define BTI_C			0xd503245f
#define BTI_J			0xd503249f
#define BTI_JC			0xd50324df

/* Where words go. Without out they are counted. */
struct gen {
	u32		*out;
	unsigned long	at;	/* the address that the code will have; 0 if it is only counted */
	int		n;
};

static __always_inline void emit(struct gen *g, u32 insn)
{
	if (g->out)
		g->out[g->n] = insn;
	g->n++;
}

struct tramp {
	struct bpf_tramp_image		*im;
	const struct btf_func_model	*m;
	u32				flags;
	struct bpf_tramp_links		*links;
	void				*func;
	bool				counted;	/* im is not known yet */

	int	slots;					/* words of arguments */
	int	run_ctx, ctx, size;			/* offsets from SP; size of the frame below the records */
};

/* The arguments' words are in x0 to x7, or the function is not supported. */
static inline int lay_out(struct tramp *t)
{
	int slots = 0;

	for (int i = 0; i < t->m->nr_args; i++)
		slots += DIV_ROUND_UP(t->m->arg_size[i], 8);
	if (slots > 8)
		return -ENOTSUPP;
	t->slots = slots;
	t->run_ctx = 0;
	t->ctx = sizeof(struct bpf_tramp_run_ctx) + 16;
	t->size = ALIGN(t->ctx + (slots + 1) * 8, 16) + 16;
	return 0;
}

static inline bool indirect(const struct tramp *t)
{
	return t->flags & BPF_TRAMP_F_INDIRECT;
}

/* Programs' return values are kept. */
static inline bool keeps_ret(const struct tramp *t)
{
	return t->flags & (BPF_TRAMP_F_CALL_ORIG | BPF_TRAMP_F_RET_FENTRY_RET);
}

static inline int ret_off(const struct tramp *t)
{
	return t->ctx + t->slots * 8;
}

/* Four words if the value is not known yet. */
static inline void emit_addr(struct gen *g, int reg, u64 v)
{
	emit(g, MOVZ(reg, v & 0xffff, 0));
	emit(g, MOVK(reg, v >> 16 & 0xffff, 1));
	emit(g, MOVK(reg, v >> 32 & 0xffff, 2));
	emit(g, MOVK(reg, v >> 48, 3));
}

static inline void load_args(struct gen *g, const struct tramp *t)
{
	for (int i = 0; i < t->slots; i++)
		emit(g, LDR(i, SP, t->ctx + 8 * i));
}

struct hooks {
	void *enter, *exit;
};

static inline struct hooks hooks_of(const struct bpf_prog *prog)
{
	if (prog->type == BPF_PROG_TYPE_TRACING)
		return prog->sleepable ? (struct hooks) { __bpf_prog_enter_sleepable_recur, __bpf_prog_exit_sleepable_recur }
				       : (struct hooks) { __bpf_prog_enter_recur, __bpf_prog_exit_recur };
	if (prog->expected_attach_type == BPF_LSM_CGROUP)
		return (struct hooks) { __bpf_prog_enter_lsm_cgroup, __bpf_prog_exit_lsm_cgroup };
	return prog->sleepable ? (struct hooks) { __bpf_prog_enter_sleepable, __bpf_prog_exit_sleepable }
			       : (struct hooks) { __bpf_prog_enter, __bpf_prog_exit };
}

/* Puts insn, which branches from word at to here, there. */
#define land(g, at, insn) do {					\
	if ((g)->out)						\
		(g)->out[at] = insn(((g)->n - (at)) * 4);	\
} while (0)

#define cbz_start(off)	CBZ(X20, off)
#define cbz_x0(off)	CBZ(0, off)
#define cbnz_ret(off)	CBNZ(X10, off)
