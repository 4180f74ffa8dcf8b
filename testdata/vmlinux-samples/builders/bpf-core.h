/*
 * What BPF trampolines call, and what their generators call. ftlint answers these calls
 * itself: the compiler does not look into the bodies, which are the shortest that do. */
#ifdef __clang__
#define noipa	__attribute__((weak))
#else
#define noipa	__attribute__((noipa))
#endif
#undef ENTER_AND_EXIT
#define ENTER_AND_EXIT(kind)								\
noipa u64 __bpf_prog_enter##kind(struct bpf_prog *prog, struct bpf_tramp_run_ctx *run_ctx)	\
{											\
	run_ctx->saved_run_ctx = prog;							\
	return 1;									\
}											\
noipa void __bpf_prog_exit##kind(struct bpf_prog *prog, u64 start, struct bpf_tramp_run_ctx *run_ctx)	\
{											\
	run_ctx->saved_run_ctx = NULL;							\
}
ENTER_AND_EXIT()
ENTER_AND_EXIT(_recur)
ENTER_AND_EXIT(_sleepable)
ENTER_AND_EXIT(_sleepable_recur)
ENTER_AND_EXIT(_lsm_cgroup)

noipa void __bpf_tramp_enter(struct bpf_tramp_image *im)
{
	asm volatile("" : : "r" (im) : "memory");
}

noipa void __bpf_tramp_exit(struct bpf_tramp_image *im)
{
	asm volatile("" : : "r" (im) : "memory");
}

noipa const char *__bpf_address_lookup(unsigned long addr, unsigned long *size, unsigned long *off, char *sym)
{
	return NULL;
}

noipa void *bpf_jit_alloc_exec(unsigned long size)
{
	return NULL;
}

noipa void bpf_jit_free_exec(void *addr)
{
	asm volatile("" : : "r" (addr) : "memory");
}

noipa u32 get_random_u32(void)
{
	return 4;
}

noipa void *kvmalloc_node(unsigned long size, u32 flags, int node)
{
	return NULL;
}

noipa void kvfree(const void *addr)
{
	asm volatile("" : : "r" (addr) : "memory");
}

noipa void *aarch64_insn_copy(void *dst, void *src, unsigned long len)
{
	return NULL;
}

/* What calls of functions are relative to, in a program's instructions. */
noipa u64 __bpf_call_base(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	return 0;
}

/* Where a program's PLT leads while no trampoline is attached that is far away. */
asm(".pushsection .text, \"ax\"\n"
    "	.balign	4\n"
    "	.globl	dummy_tramp\n"
    "	.type	dummy_tramp, %function\n"
    "dummy_tramp:\n"
    "	bti	j\n"
    "	mov	x10, x30\n"
    "	mov	x30, x9\n"
    "	ret	x10\n"
    "	.size	dummy_tramp, . - dummy_tramp\n"
    ".popsection");

noipa void *memset(void *dst, int c, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		((volatile char *)dst)[i] = c;
	return dst;
}
