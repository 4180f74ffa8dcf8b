/*
 * What the generators of BPF trampolines take from the kernel: names, types and
 * values that are its interface, as in 6.12. Members that ftlint does not look at
 * are left out. The types are in the image's BTF.
 */

#pragma once

#include "kernel.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef short s16;
typedef int s32;

#define ENOTSUPP	524
#define SZ_4K		4096

enum bpf_prog_type {
	BPF_PROG_TYPE_UNSPEC,
	BPF_PROG_TYPE_TRACING = 26,
	BPF_PROG_TYPE_STRUCT_OPS = 27,
	BPF_PROG_TYPE_EXT = 28,
	BPF_PROG_TYPE_LSM = 29,
};

enum bpf_attach_type {
	BPF_TRACE_FENTRY = 24,
	BPF_TRACE_FEXIT = 25,
	BPF_MODIFY_RETURN = 26,
	BPF_LSM_MAC = 27,
	BPF_LSM_CGROUP = 43,
};

enum bpf_link_type {
	BPF_LINK_TYPE_UNSPEC,
	BPF_LINK_TYPE_TRACING = 2,
	BPF_LINK_TYPE_STRUCT_OPS = 9,
};

enum bpf_text_poke_type {
	BPF_MOD_CALL,
	BPF_MOD_JUMP,
};

enum bpf_tramp_prog_type {
	BPF_TRAMP_FENTRY,
	BPF_TRAMP_FEXIT,
	BPF_TRAMP_MODIFY_RETURN,
	BPF_TRAMP_MAX,
};

#define BPF_TRAMP_F_RESTORE_REGS	BIT(0)
#define BPF_TRAMP_F_CALL_ORIG		BIT(1)
#define BPF_TRAMP_F_SKIP_FRAME		BIT(2)
#define BPF_TRAMP_F_IP_ARG		BIT(3)
#define BPF_TRAMP_F_RET_FENTRY_RET	BIT(4)
#define BPF_TRAMP_F_INDIRECT		BIT(8)

#define MAX_BPF_FUNC_ARGS	12
#define BPF_MAX_TRAMP_LINKS	38

struct btf_func_model {
	u8	ret_size;
	u8	ret_flags;
	u8	nr_args;
	u8	arg_size[MAX_BPF_FUNC_ARGS];
	u8	arg_flags[MAX_BPF_FUNC_ARGS];
};

struct bpf_tramp_image {
	void	*image;
	int	size;
	void	*ip_after_call;
	void	*ip_epilogue;
};

struct bpf_insn {
	u8	code;
	u8	dst_reg : 4, src_reg : 4;
	s16	off;
	s32	imm;
};

struct bpf_prog;
struct bpf_array;

struct bpf_prog_aux {
	u32		stack_depth;
	u32		func_idx;
	u32		func_cnt;
	bool		sleepable;
	bool		exception_boundary;
	bool		exception_cb;
	struct bpf_prog	*prog;
	struct bpf_prog	**func;
	struct bpf_array *array;	/* of programs that it tail calls */
};

struct bpf_prog {
	u16			pages;
	u16			jited : 1, jit_requested : 1, is_func : 1, sleepable : 1;
	enum bpf_prog_type	type;
	enum bpf_attach_type	expected_attach_type;
	u32			len;
	u32			jited_len;
	unsigned int		(*bpf_func)(const void *ctx, const struct bpf_insn *insn);
	struct bpf_prog_aux	*aux;
	struct bpf_insn		insnsi[];
};

struct bpf_map {
	u32	max_entries;
};

struct bpf_array {
	struct bpf_map	map;
	u32		index_mask;
	struct bpf_prog	*ptrs[];
};

struct bpf_link {
	u64			refcnt;
	enum bpf_link_type	type;
	struct bpf_prog		*prog;
};

struct bpf_tramp_link {
	struct bpf_link	link;
	u64		cookie;
};

struct bpf_tramp_links {
	struct bpf_tramp_link	*links[BPF_MAX_TRAMP_LINKS];
	int			nr_links;
};

struct bpf_tramp_run_ctx {
	u64	bpf_cookie;
	void	*saved_run_ctx;
};

/* core: bpf-core.h */

void __bpf_tramp_enter(struct bpf_tramp_image *im);
void __bpf_tramp_exit(struct bpf_tramp_image *im);

#define ENTER_AND_EXIT(kind)								\
	u64 __bpf_prog_enter##kind(struct bpf_prog *prog, struct bpf_tramp_run_ctx *run_ctx);	\
	void __bpf_prog_exit##kind(struct bpf_prog *prog, u64 start, struct bpf_tramp_run_ctx *run_ctx);
ENTER_AND_EXIT()
ENTER_AND_EXIT(_recur)
ENTER_AND_EXIT(_sleepable)
ENTER_AND_EXIT(_sleepable_recur)
ENTER_AND_EXIT(_lsm_cgroup)

const char *__bpf_address_lookup(unsigned long addr, unsigned long *size, unsigned long *off, char *sym);
void *bpf_jit_alloc_exec(unsigned long size);
void bpf_jit_free_exec(void *addr);
u32 get_random_u32(void);
u64 __bpf_call_base(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
void *kvmalloc_node(unsigned long size, u32 flags, int node);
void kvfree(const void *addr);

/* the architecture */

void *aarch64_insn_copy(void *dst, void *src, unsigned long len);
void dummy_tramp(void);

void *arch_alloc_bpf_trampoline(unsigned int size);
void arch_free_bpf_trampoline(void *image, unsigned int size);
int arch_bpf_trampoline_size(const struct btf_func_model *m, u32 flags, struct bpf_tramp_links *tlinks, void *func_addr);
int arch_prepare_bpf_trampoline(struct bpf_tramp_image *im, void *image, void *image_end, const struct btf_func_model *m,
				u32 flags, struct bpf_tramp_links *tlinks, void *func_addr);
int bpf_arch_text_poke(void *ip, enum bpf_text_poke_type poke_type, void *old_addr, void *new_addr);
struct bpf_prog *bpf_int_jit_compile(struct bpf_prog *prog);
