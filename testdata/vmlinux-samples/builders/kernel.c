// What the builders and site functions call. ftlint answers these calls
// itself; the bodies are the shortest that do the same on plain memory.

#include "kernel.h"

// ftrace

void __stack_chk_fail(void);
void *memcpy(void *dst, const void *src, unsigned long size);

struct ftrace_ops ftrace_list_ops = { .func = ftrace_stub, .flags = FTRACE_OPS_FL_STUB };
const struct ftrace_ops ftrace_nop_ops = { .func = ftrace_stub, .flags = FTRACE_OPS_FL_STUB };

ftrace_func_t ftrace_ops_get_func(struct ftrace_ops *ops)
{
	return ops->func;
}

struct ftrace_ops *ftrace_find_unique_ops(struct dyn_ftrace *rec)
{
	return function_trace_op;
}

// Instructions

u32 aarch64_insn_gen_nop(void)
{
	return 0xd503201f;
}

u32 aarch64_insn_gen_branch_imm(unsigned long pc, unsigned long addr, enum aarch64_insn_branch_type type)
{
	long offset = addr - pc;

	if (offset % 4 || offset < -SZ_128M || offset >= SZ_128M)
		return AARCH64_BREAK_FAULT;
	return 0x14000000 | (u32)(type == AARCH64_INSN_BRANCH_LINK) << 31 | ((u32)(offset >> 2) & 0x3ffffff);
}

u32 aarch64_insn_gen_branch_reg(enum aarch64_insn_register reg, enum aarch64_insn_branch_type type)
{
	return 0xd61f0000 | (u32)(type == AARCH64_INSN_BRANCH_LINK) << 21 | reg << 5;
}

u32 aarch64_insn_gen_move_reg(enum aarch64_insn_register dst, enum aarch64_insn_register src, enum aarch64_insn_variant variant)
{
	return 0x2a0003e0 | (u32)variant << 31 | src << 16 | dst;
}

u32 aarch64_insn_gen_load_literal(unsigned long pc, unsigned long addr, enum aarch64_insn_register reg, bool is64bit)
{
	long offset = addr - pc;

	if (offset % 4 || offset < -SZ_1M || offset >= SZ_1M)
		return AARCH64_BREAK_FAULT;
	return 0x18000000 | (u32)is64bit << 30 | ((u32)(offset >> 2) & 0x7ffff) << 5 | reg;
}

int aarch64_insn_read(void *addr, u32 *insn)
{
	*insn = *(u32 *)addr;
	return 0;
}

int aarch64_insn_write(void *addr, u32 insn)
{
	*(volatile u32 *)addr = insn;
	return 0;
}

int aarch64_insn_write_literal_u64(void *addr, u64 val)
{
	*(volatile u64 *)addr = val;
	return 0;
}

int aarch64_insn_patch_text_nosync(void *addr, u32 insn)
{
	if ((unsigned long)addr % AARCH64_INSN_SIZE)
		return -EINVAL;
	*(volatile u32 *)addr = insn;
	return 0;
}

// Memory

static char pool[64 << 10] __attribute__((aligned(PAGE_SIZE)));
static unsigned long pool_used;
static struct vm_struct pool_area = { .addr = pool, .size = sizeof(pool) };

static __always_inline void *from_pool(unsigned long size)
{
	unsigned long at = pool_used;

	if (size > sizeof(pool) - at)
		return NULL;
	pool_used = ALIGN(at + size, PAGE_SIZE);
	return pool + at;
}

void *module_alloc(unsigned long size)
{
	return from_pool(size);
}

void *execmem_alloc(enum execmem_type type, unsigned long size)
{
	return from_pool(size);
}

void module_memfree(void *region)
{
}

void execmem_free(void *ptr)
{
}

struct vm_struct *find_vm_area(const void *addr)
{
	return &pool_area;
}

void *memcpy(void *dst, const void *src, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		((volatile char *)dst)[i] = ((const char *)src)[i];
	return dst;
}

long copy_from_kernel_nofault(void *dst, const void *src, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		((volatile char *)dst)[i] = ((const char *)src)[i];
	return 0;
}

int set_memory_ro(unsigned long addr, int numpages)
{
	return 0;
}

int set_memory_rw(unsigned long addr, int numpages)
{
	return 0;
}

int set_memory_x(unsigned long addr, int numpages)
{
	return 0;
}

int set_memory_nx(unsigned long addr, int numpages)
{
	return 0;
}

void __flush_icache_range(unsigned long start, unsigned long end)
{
	asm volatile("dsb ish\n\tisb" : : : "memory");
}

void caches_clean_inval_pou(unsigned long start, unsigned long end)
{
	asm volatile("dsb ish\n\tisb" : : : "memory");
}

// The stack protector's end.
void __attribute__((noreturn)) __stack_chk_fail(void)
{
	for (;;)
		asm volatile("brk #0x800");
}

// Modules: there are none.

struct module *__module_text_address(unsigned long addr)
{
	return NULL;
}
