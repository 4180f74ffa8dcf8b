/*
 * A JIT without a defect for the programs that ftlint has compiled. A sample that shows a
 * defect puts a step of its own in the place of the correct one, as with bpf-gen.h:
 *
 *	#define own_jit
 *	#include "bpf-gen.h"
 *	#include "bpf-rest.h"
 *	static inline void leave_stack_not(struct gen *g, const struct bpf_prog *prog) { ... }
 *	#define leave_stack leave_stack_not
 *	#include "bpf-jit.h"
 *
 * A program's frame, from x29 down: the frame record, x19 to x28, the program's stack. A
 * program that is tail called is entered behind what saves them.
 */

/* The kernel's registers of a program's: r0 to r10. */
static const u8 regs[] = { 7, 0, 1, 2, 3, 4, 19, 20, 21, 22, 25 };

#define R0		7
#define ARRAY		1	/* r2 and r3 of a tail call */
#define INDEX		2
#define STACK_END	25
#define TAIL_CALLS	26
#define SAVED		80	/* bytes of x19 to x28 */

#define MAX_TAIL_CALL_CNT	33

#define offsetof(type, member)	__builtin_offsetof(type, member)

#define ADD_REG(rd, rn, rm)	(0x8b000000 | (rm) << 16 | (rn) << 5 | (rd))
#define LDR_REG(rt, rn, rm)	(0xf8606800 | (rm) << 16 | (rn) << 5 | (rt))
#define LDR_INDEX(rt, rn, rm)	(0xf8607800 | (rm) << 16 | (rn) << 5 | (rt))
#define STR_REG(rt, rn, rm)	(0xf8206800 | (rm) << 16 | (rn) << 5 | (rt))
#define LDR32(rt, rn, off)	(0xb9400000 | (u32)(off) / 4 << 10 | (rn) << 5 | (rt))
#define CMP32(rn, rm)		(0x6b00001f | (rm) << 16 | (rn) << 5)
#define CMP_IMM(rn, imm)	(0xf100001f | (imm) << 10 | (rn) << 5)
#define B_HS(off)		(0x54000002 | ((off) / 4 & 0x7ffff) << 5)
#define cbz_prog(off)		CBZ(X10, off)

noipa bool bpf_jit_supports_exceptions(void)
{
	return true;
}

noipa bool bpf_jit_supports_subprog_tailcalls(void)
{
	return true;
}

static inline int stack_size(const struct bpf_prog *prog)
{
	return ALIGN(prog->aux->stack_depth, 16);
}

#ifndef entry_pad
/* A program is called, and it is branched to by the PLT of one that it replaces. */
#define entry_pad	BTI_JC
#endif

#ifndef save_regs
static inline void save_regs(struct gen *g)
{
	for (int i = 19; i < 29; i += 2)
		emit(g, PUSH(i, i + 1));
}
#endif

#ifndef restore_regs
static inline void restore_regs(struct gen *g)
{
	for (int i = 27; i > 18; i -= 2)
		emit(g, POP(i, i + 1));
}
#endif

#ifndef take_frame
/* The callback of an exception goes on in the frame of the program that the exception ends. */
static inline void take_frame(struct gen *g)
{
	emit(g, MOV(FP, 2));
	emit(g, SUB(SP, FP, SAVED));
}
#endif

#ifndef leave_stack
static inline void leave_stack(struct gen *g, const struct bpf_prog *prog)
{
	emit(g, ADD(SP, SP, stack_size(prog)));
}
#endif

#define TAIL_OFF	(11 * 4)	/* where a program is entered by a tail call */

static inline void enter_program(struct gen *g, const struct bpf_prog *prog)
{
	emit(g, entry_pad);
	emit(g, MOV(X9, LR));
	emit(g, NOP);
	if (prog->aux->exception_cb) {
		take_frame(g);
	} else {
		emit(g, PUSH(FP, LR));
		emit(g, ADD(FP, SP, 0));
		save_regs(g);
	}
	if (!prog->aux->func_idx) {
		emit(g, MOVZ(TAIL_CALLS, 0, 0));
		emit(g, BTI_J);
	}
	emit(g, ADD(STACK_END, SP, 0));
	emit(g, SUB(SP, SP, stack_size(prog)));
}

static inline void leave_program(struct gen *g, const struct bpf_prog *prog)
{
	emit(g, ADD(SP, SP, stack_size(prog)));
	restore_regs(g);
	emit(g, POP(FP, LR));
	emit(g, MOV(0, R0));
	emit(g, RET(LR));
}

static inline void tail_call(struct gen *g, const struct bpf_prog *prog)
{
	int end, full, none;

	emit(g, LDR32(X10, ARRAY, offsetof(struct bpf_array, map.max_entries)));
	emit(g, CMP32(INDEX, X10));
	end = g->n;
	emit(g, 0);
	emit(g, CMP_IMM(TAIL_CALLS, MAX_TAIL_CALL_CNT));
	full = g->n;
	emit(g, 0);
	emit(g, ADD(TAIL_CALLS, TAIL_CALLS, 1));
	emit(g, ADD(X10, ARRAY, offsetof(struct bpf_array, ptrs)));
	emit(g, LDR_INDEX(X10, X10, INDEX));
	none = g->n;
	emit(g, 0);
	emit(g, LDR(X10, X10, offsetof(struct bpf_prog, bpf_func)));
	emit(g, ADD(X10, X10, TAIL_OFF));
	leave_stack(g, prog);
	emit(g, BR(X10));
	land(g, end, B_HS);
	land(g, full, B_HS);
	land(g, none, cbz_prog);
}

static inline void call(struct gen *g, const struct bpf_prog *prog, const struct bpf_insn *insn)
{
	u64 to = (u64)__bpf_call_base + insn->imm;

	if (insn->src_reg)
		to = (u64)prog->aux->func[insn->off]->bpf_func;
	emit_addr(g, X10, to);
	emit(g, BLR(X10));
	emit(g, MOV(R0, 0));
}

/* Makes code of one instruction, up to two of them. Returns how many, 0 if it is not supported. */
static inline int one(struct gen *g, const struct bpf_prog *prog, const struct bpf_insn *insn, int leave)
{
	int dst = regs[insn->dst_reg], src = regs[insn->src_reg];

	switch (insn->code) {
	case 0x18:	/* dst = imm64 */
		emit_addr(g, dst, (u32)insn->imm | (u64)insn[1].imm << 32);
		return 2;
	case 0xb7:	/* dst = imm */
		emit_addr(g, dst, (long)insn->imm);
		return 1;
	case 0xbf:	/* dst = src */
		emit(g, MOV(dst, src));
		return 1;
	case 0x07:	/* dst += imm */
		emit_addr(g, X10, (long)insn->imm);
		emit(g, ADD_REG(dst, dst, X10));
		return 1;
	case 0x79:	/* dst = *(u64 *)(src + off) */
		emit_addr(g, X10, (long)insn->off);
		emit(g, LDR_REG(dst, src, X10));
		return 1;
	case 0x7b:	/* *(u64 *)(dst + off) = src */
		emit_addr(g, X10, (long)insn->off);
		emit(g, STR_REG(src, dst, X10));
		return 1;
	case 0x85:
		call(g, prog, insn);
		return 1;
	case 0xf5:
		tail_call(g, prog);
		return 1;
	case 0x95:
		emit(g, B((leave - g->n) * 4));
		return 1;
	}
	return 0;
}

/* Makes code of a program. Its end is word leave. */
static noinline int translate(struct gen *g, const struct bpf_prog *prog, int leave)
{
	int n;

	enter_program(g, prog);
	for (u32 i = 0; i < prog->len; i += n) {
		n = one(g, prog, &prog->insnsi[i], leave);
		if (!n)
			return 0;
	}
	leave = g->n;
	leave_program(g, prog);
	if (g->n % 2)
		emit(g, NOP);
	emit(g, LDR_LIT(X10, 8));
	emit(g, BR(X10));
	return leave;
}

/* A program that calls others is compiled twice: the second time their addresses are known. */
struct bpf_prog *bpf_int_jit_compile(struct bpf_prog *prog)
{
	struct gen g = {};
	bool first = !prog->bpf_func;
	int leave = translate(&g, prog, 0);

	if (!leave || g.n > 896)
		return prog;
	if (first) {
		char *mem = bpf_jit_alloc_exec(SZ_4K);

		if (!mem)
			return prog;
		prog->bpf_func = (void *)(mem + place());
	}
	g.out = (u32 *)prog->bpf_func;
	g.n = 0;
	translate(&g, prog, leave);
	*(u64 *)(g.out + g.n) = (u64)dummy_tramp;
	prog->jited = 1;
	prog->jited_len = g.n * 4;
	if (prog->is_func && first)
		return prog;
	if (make_executable((unsigned long)g.out & ~(SZ_4K - 1UL), (unsigned long)g.out, g.n * 4))
		prog->jited = 0;
	return prog;
}
