/* The generator, made of its steps; attaching trampolines to programs; and the JIT. */

#include "bpf-calls.h"
#include "bpf-core.h"

#ifndef enter_frame
static inline void enter_frame(struct gen *g, const struct tramp *t)
{
	emit(g, BTI_JC);
	if (!indirect(t)) {
		emit(g, PUSH(FP, X9));
		emit(g, ADD(FP, SP, 0));
	}
	emit(g, PUSH(FP, LR));
	emit(g, ADD(FP, SP, 0));
	emit(g, SUB(SP, SP, t->size));
	emit(g, STP(X19, X20, FP, -16));
}
#endif

#ifndef save_args
static inline void save_args(struct gen *g, const struct tramp *t)
{
	for (int i = 0; i < t->slots; i++)
		emit(g, STR(i, SP, t->ctx + 8 * i));
}
#endif

#ifndef save_count
static inline void save_count(struct gen *g, const struct tramp *t)
{
	emit(g, MOVZ(X10, t->slots, 0));
	emit(g, STR(X10, SP, t->ctx - 8));
}
#endif

#ifndef save_ip
static inline void save_ip(struct gen *g, const struct tramp *t)
{
	emit_addr(g, X10, (u64)t->func);
	emit(g, STR(X10, SP, t->ctx - 16));
}
#endif

#ifndef invoke
static inline void invoke(struct gen *g, const struct tramp *t, const struct bpf_tramp_link *l, bool save_ret)
{
	struct bpf_prog *prog = l->link.prog;
	struct hooks hooks = hooks_of(prog);
	int skip;

	set_cookie(g, t, l->cookie);
	emit_addr(g, X19, (u64)prog);
	emit(g, MOV(0, X19));
	emit(g, ADD(1, SP, t->run_ctx));
	emit_call(g, hooks.enter);
	emit(g, MOV(X20, 0));
	skip = g->n;
	emit(g, 0);
	run_program(g, t, prog, save_ret);
	land(g, skip, cbz_start);
	emit(g, MOV(0, X19));
	emit(g, MOV(1, X20));
	emit(g, ADD(2, SP, t->run_ctx));
	emit_call(g, hooks.exit);
}
#endif

#ifndef call_function
/* The function's body is no landing pad: it is returned to. */
static inline void call_function(struct gen *g, const struct tramp *t)
{
	load_args(g, t);
	emit(g, LDR(X10, FP, 8));
	emit(g, ADR(LR, 8));
	emit(g, RET(X10));
	emit(g, STR(0, SP, ret_off(t)));
}
#endif

#ifndef leave_frame
static inline void leave_frame(struct gen *g, const struct tramp *t)
{
	emit(g, LDP(X19, X20, FP, -16));
	emit(g, ADD(SP, FP, 0));
	emit(g, POP(FP, LR));
	if (!indirect(t))
		emit(g, POP(FP, X9));
}
#endif

#ifndef go_back
static inline void go_back(struct gen *g, const struct tramp *t)
{
	if (indirect(t)) {
		emit(g, RET(LR));
		return;
	}
	emit(g, MOV(X10, LR));
	emit(g, MOV(LR, X9));
	emit(g, RET(t->flags & BPF_TRAMP_F_SKIP_FRAME ? X9 : X10));
}
#endif

#ifndef clear_ret
/* The first modify-return program finds 0. */
static inline void clear_ret(struct gen *g, const struct tramp *t)
{
	emit(g, STR(XZR, SP, ret_off(t)));
}
#endif

#ifndef end_function
static inline void end_function(struct gen *g, const struct tramp *t)
{
	note_epilogue(g, t);
	call_tramp(g, t, __bpf_tramp_exit);
}
#endif

static int modify_return(struct gen *g, const struct tramp *t, int *branches)
{
	const struct bpf_tramp_links *l = &t->links[BPF_TRAMP_MODIFY_RETURN];

	if (l->nr_links)
		clear_ret(g, t);
	for (int i = 0; i < l->nr_links; i++) {
		invoke(g, t, l->links[i], true);
		emit(g, LDR(X10, SP, ret_off(t)));
		branches[i] = g->n;
		emit(g, 0);
	}
	return l->nr_links;
}

static noinline int generate(struct gen *g, struct tramp *t)
{
	const struct bpf_tramp_links *fentry = &t->links[BPF_TRAMP_FENTRY], *fexit = &t->links[BPF_TRAMP_FEXIT];
	int branches[BPF_MAX_TRAMP_LINKS], n, ret = lay_out(t);

	if (ret)
		return ret;
	enter_frame(g, t);
	save_args(g, t);
	save_count(g, t);
	if (t->flags & BPF_TRAMP_F_IP_ARG)
		save_ip(g, t);
	if (t->flags & BPF_TRAMP_F_CALL_ORIG)
		call_tramp(g, t, __bpf_tramp_enter);
	for (int i = 0; i < fentry->nr_links; i++)
		invoke(g, t, fentry->links[i], t->flags & BPF_TRAMP_F_RET_FENTRY_RET);
	n = modify_return(g, t, branches);
	if (t->flags & BPF_TRAMP_F_CALL_ORIG) {
		call_function(g, t);
		note_after_call(g, t);
	}
	for (int i = 0; i < n; i++)
		land(g, branches[i], cbnz_ret);
	for (int i = 0; i < fexit->nr_links; i++)
		invoke(g, t, fexit->links[i], false);
	if (t->flags & BPF_TRAMP_F_CALL_ORIG)
		end_function(g, t);
	if (t->flags & BPF_TRAMP_F_RESTORE_REGS)
		load_args(g, t);
	if (keeps_ret(t))
		emit(g, LDR(0, SP, ret_off(t)));
	leave_frame(g, t);
	go_back(g, t);
	return g->n * 4;
}

int arch_bpf_trampoline_size(const struct btf_func_model *m, u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	struct gen g = {};
	struct tramp t = { .m = m, .flags = flags, .links = tlinks, .func = func_addr, .counted = true };

	return generate(&g, &t);
}

void *arch_alloc_bpf_trampoline(unsigned int size)
{
	unsigned long mem = (unsigned long)bpf_jit_alloc_exec(size);
	int pages = DIV_ROUND_UP(size, PAGE_SIZE);

	if (mem && (set_memory_ro(mem, pages) || set_memory_x(mem, pages))) {
		bpf_jit_free_exec((void *)mem);
		return NULL;
	}
	return (void *)mem;
}

void arch_free_bpf_trampoline(void *image, unsigned int size)
{
	bpf_jit_free_exec(image);
}

#ifndef failed
static inline int failed(void *out)
{
	kvfree(out);
	return -EINVAL;
}
#endif

#ifndef copy_out
static inline void *copy_out(void *image, void *out, unsigned long size)
{
	return aarch64_insn_copy(image, out, size);
}
#endif

static inline int prepare(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
			  u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	unsigned long size = image_end - image;
	struct gen g = { .at = (unsigned long)image };
	struct tramp t = { .im = im, .m = m, .flags = flags, .links = tlinks, .func = func_addr };
	int ret;

	g.out = kvmalloc_node(size, 0, -1);
	if (!g.out)
		return -ENOMEM;
	ret = generate(&g, &t);
	if (ret > 0 && !copy_out(image, g.out, ret))
		return failed(g.out);
	kvfree(g.out);
	return ret;
}

#ifndef own_prepare
int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr)
{
	return prepare(im, image, image_end, m, flags, tlinks, func_addr);
}
#endif

/*
 * A program: MOV X9, LR; NOP; its body; a PLT: LDR X10, literal; BR X10; the literal.
 * The landing pad is there in every kernel.
 */
#define ENTRY_WORDS	2			/* before the NOP */
#define PLT_SIZE	8

static inline bool reaches(unsigned long pc, void *target)
{
	long offset = (unsigned long)target - pc;

	return offset >= -SZ_128M && offset < SZ_128M;
}

static inline u32 entry_branch(enum bpf_text_poke_type type, unsigned long pc, void *target, unsigned long plt)
{
	if (!target)
		return NOP;
	return aarch64_insn_gen_branch_imm(pc, reaches(pc, target) ? (unsigned long)target : plt,
					   type == BPF_MOD_CALL ? AARCH64_INSN_BRANCH_LINK : AARCH64_INSN_BRANCH_NOLINK);
}

#ifndef write_literal
static inline int write_literal(u64 *literal, u64 v)
{
	return aarch64_insn_write_literal_u64(literal, v);
}
#endif

#ifndef find_nop
/* The instruction of a program's entry that is patched: behind a landing pad, if there is one. */
static inline int find_nop(unsigned long entry, unsigned long *pc)
{
	u32 first;

	if (aarch64_insn_read((void *)entry, &first))
		return -EFAULT;
	*pc = entry + (first == BTI_C || first == BTI_JC ? 8 : 4);
	return 0;
}
#endif

static inline int poke(void *ip, enum bpf_text_poke_type poke_type, void *old_addr, void *new_addr)
{
	unsigned long size, off, pc = (unsigned long)ip, plt = 0;
	u32 old, new, found;
	char name[64];
	u64 *literal = NULL;

	if (!__bpf_address_lookup(pc, &size, &off, name))
		return -ENOTSUPP;
	if (!off) {
		plt = pc + size - PLT_SIZE;
		literal = (u64 *)(pc + size);
		if (find_nop(pc, &pc))
			return -EFAULT;
	}
	old = entry_branch(poke_type, pc, old_addr, plt);
	new = entry_branch(poke_type, pc, new_addr, plt);
	if (aarch64_insn_read((void *)pc, &found))
		return -EFAULT;
	if (found != old)
		return -EINVAL;
	if (literal && new_addr && !reaches(pc, new_addr)) {
		if (write_literal(literal, (u64)new_addr))
			return -EFAULT;
	} else if (literal && old_addr && !reaches(pc, old_addr)) {
		if (write_literal(literal, (u64)dummy_tramp))
			return -EFAULT;
	}
	return old == new ? 0 : aarch64_insn_patch_text_nosync((void *)pc, new);
}

#ifndef own_poke
int bpf_arch_text_poke(void *ip, enum bpf_text_poke_type poke_type, void *old_addr, void *new_addr)
{
	return poke(ip, poke_type, old_addr, new_addr);
}
#endif

#ifndef place
/* Where in its memory a program is. */
static inline unsigned long place(void)
{
	return (get_random_u32() >> 26) * 8;
}
#endif

#ifndef make_executable
static inline int make_executable(unsigned long mem, unsigned long code, unsigned long size)
{
	caches_clean_inval_pou(code, code + size);
	return set_memory_ro(mem, 1) ? : set_memory_x(mem, 1);
}
#endif

#ifndef own_jit
#define BPF_RETURN_0	0xb7	/* r0 = 0 */
#define BPF_EXIT	0x95

static inline bool supported(const struct bpf_insn *insn)
{
	return insn->code == BPF_EXIT || (insn->code == BPF_RETURN_0 && !insn->dst_reg && !insn->imm);
}

/* Makes code of programs that return 0. The others are left to the interpreter: see bpf-jit.h. */
struct bpf_prog *bpf_int_jit_compile(struct bpf_prog *prog)
{
	struct gen g = {};
	char *mem;

	for (u32 i = 0; i < prog->len; i++)
		if (!supported(&prog->insnsi[i]))
			return prog;
	mem = bpf_jit_alloc_exec(SZ_4K);
	if (!mem)
		return prog;
	g.out = (u32 *)(mem + place());
	emit(&g, BTI_C);
	emit(&g, MOV(X9, LR));
	emit(&g, NOP);
	for (u32 i = 0; i < prog->len; i++)
		emit(&g, MOVZ(0, 0, 0));
	emit(&g, RET(LR));
	if (g.n % 2)
		emit(&g, NOP);
	emit(&g, LDR_LIT(X10, 8));
	emit(&g, BR(X10));
	*(u64 *)(g.out + g.n) = (u64)dummy_tramp;
	if (make_executable((unsigned long)mem, (unsigned long)g.out, g.n * 4)) {
		bpf_jit_free_exec(mem);
		return prog;
	}
	prog->bpf_func = (void *)g.out;
	prog->jited = 1;
	prog->jited_len = g.n * 4;
	return prog;
}
#endif
