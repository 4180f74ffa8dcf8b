/*
 * What the samples in C take from the kernel: names, types and values that
 * are its interface. The members that ftlint looks for lie where 6.12 has
 * them; what it does not look at is left out or made filler.
 */

#pragma once

#define NULL ((void *)0)
typedef _Bool bool;
enum { false, true };
typedef unsigned int u32;
typedef unsigned long u64;

#define noinline	__attribute__((noinline))
#define __always_inline	inline __attribute__((always_inline))

#define EFAULT	14
#define ENOMEM	12
#define EINVAL	22
#define ERANGE	34

#define BIT(n)			(1ul << (n))
#define ALIGN(x, a)		(((x) + (a) - 1) & ~((unsigned long)(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((unsigned long)(a) - 1))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define PAGE_SIZE		(PAGE_KIB * 1024ul)	// PAGE_KIB: see scripts/build-samples
#define SZ_1M			(1l << 20)
#define SZ_128M			(1l << 27)

#define WARN_ON(cond) ({					\
	bool warn = !!(cond);					\
	if (__builtin_expect(warn, false))			\
		asm volatile("brk #0x800");			\
	warn;							\
})

/* ftrace */

struct ftrace_ops;
struct ftrace_regs;
typedef void (*ftrace_func_t)(unsigned long ip, unsigned long parent_ip,
			      struct ftrace_ops *op, struct ftrace_regs *regs);

enum {
	FTRACE_OPS_FL_ENABLED		= BIT(0),
	FTRACE_OPS_FL_DYNAMIC		= BIT(1),
	FTRACE_OPS_FL_SAVE_REGS		= BIT(2),
	FTRACE_OPS_FL_STUB		= BIT(5),
	FTRACE_OPS_FL_INITIALIZED	= BIT(6),
	FTRACE_OPS_FL_ALLOC_TRAMP	= BIT(11),
};

struct list_head {
	struct list_head *next, *prev;
};

struct ftrace_ops_hash {
	void	*notrace_hash;
	void	*filter_hash;
	u64	regex_lock[4];
};

struct ftrace_ops {
	ftrace_func_t		func;
	struct ftrace_ops	*next;
	unsigned long		flags;
	void			*private;
	ftrace_func_t		saved_func;
	struct ftrace_ops_hash	local_hash;
	struct ftrace_ops_hash	*func_hash;
	struct ftrace_ops_hash	old_hash;
	unsigned long		trampoline;		/* at 144 */
	unsigned long		trampoline_size;
	struct list_head	list;
	struct list_head	subop_list;
	void			*ops_func;
	struct ftrace_ops	*managed;
	unsigned long		direct_call;		/* at 208 */
};

enum {
	FTRACE_FL_ENABLED	= 1u << 31,
	FTRACE_FL_CALL_OPS_EN	= 1u << 21,
};

struct dyn_ftrace {
	unsigned long	ip;
	unsigned long	flags;
};

extern struct ftrace_ops *function_trace_op;
extern int ftrace_graph_active;
extern struct ftrace_ops ftrace_list_ops;
extern const struct ftrace_ops ftrace_nop_ops;

ftrace_func_t ftrace_ops_get_func(struct ftrace_ops *ops) __attribute__((returns_nonnull));
struct ftrace_ops *ftrace_find_unique_ops(struct dyn_ftrace *rec);

void arch_ftrace_update_trampoline(struct ftrace_ops *ops);
void arch_ftrace_trampoline_free(struct ftrace_ops *ops);

unsigned long ftrace_call_adjust(unsigned long addr);
struct module;
int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec);
int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr);
int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr);
int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr);
int ftrace_update_ftrace_func(ftrace_func_t func);

/* Labels of the entry code: code or an address in it, never called from C. */
extern char ftrace_caller[], ftrace_caller_end[];
extern char ftrace_regs_caller[], ftrace_regs_caller_end[];
extern char ftrace_common[], ftrace_common_end[];
extern char ftrace_call[], ftrace_graph_call[], function_trace_op_ptr[];
extern char ftrace_graph_caller[], _mcount[];
void ftrace_stub(unsigned long ip, unsigned long parent_ip,
		 struct ftrace_ops *op, struct ftrace_regs *regs);

extern char _text[], _end[];

/* instructions */

#define AARCH64_INSN_SIZE	4
#define AARCH64_BREAK_FAULT	0xd4202000	/* brk #0x100: what cannot be encoded */

enum aarch64_insn_register {
	AARCH64_INSN_REG_2 = 2,
	AARCH64_INSN_REG_3 = 3,
	AARCH64_INSN_REG_9 = 9,
	AARCH64_INSN_REG_16 = 16,
	AARCH64_INSN_REG_LR = 30,
};

enum aarch64_insn_variant {
	AARCH64_INSN_VARIANT_32BIT,
	AARCH64_INSN_VARIANT_64BIT,
};

enum aarch64_insn_branch_type {
	AARCH64_INSN_BRANCH_NOLINK,
	AARCH64_INSN_BRANCH_LINK,
};

u32 aarch64_insn_gen_nop(void);
u32 aarch64_insn_gen_branch_imm(unsigned long pc, unsigned long addr, enum aarch64_insn_branch_type type);
u32 aarch64_insn_gen_branch_reg(enum aarch64_insn_register reg, enum aarch64_insn_branch_type type);
u32 aarch64_insn_gen_move_reg(enum aarch64_insn_register dst, enum aarch64_insn_register src, enum aarch64_insn_variant variant);
u32 aarch64_insn_gen_load_literal(unsigned long pc, unsigned long addr, enum aarch64_insn_register reg, bool is64bit);

int aarch64_insn_read(void *addr, u32 *insn);
int aarch64_insn_write(void *addr, u32 insn);
int aarch64_insn_write_literal_u64(void *addr, u64 val);
int aarch64_insn_patch_text_nosync(void *addr, u32 insn);

/* memory */

enum execmem_type {
	EXECMEM_MODULE_TEXT,
	EXECMEM_KPROBES,
	EXECMEM_FTRACE,
};

struct vm_struct {
	struct vm_struct	*next;
	void			*addr;
	unsigned long		size;
	unsigned long		flags;
};

#define VM_FLUSH_RESET_PERMS	0x100

void *module_alloc(unsigned long size);
void module_memfree(void *region);
void *execmem_alloc(enum execmem_type type, unsigned long size);
void execmem_free(void *ptr);
struct vm_struct *find_vm_area(const void *addr);

long copy_from_kernel_nofault(void *dst, const void *src, unsigned long size);

int set_memory_ro(unsigned long addr, int numpages);
int set_memory_rw(unsigned long addr, int numpages);
int set_memory_x(unsigned long addr, int numpages);
int set_memory_nx(unsigned long addr, int numpages);

void __flush_icache_range(unsigned long start, unsigned long end);
void caches_clean_inval_pou(unsigned long start, unsigned long end);

/* The kernel has it in a header as well: in an image it is always inlined. */
static inline void set_vm_flush_reset_perms(void *addr)
{
	struct vm_struct *vm = find_vm_area(addr);

	if (vm)
		vm->flags |= VM_FLUSH_RESET_PERMS;
}

/* modules */

enum mod_mem_type {
	MOD_TEXT,
	MOD_INIT_TEXT = 4,
	MOD_MEM_NUM_TYPES = 7,
};

struct module_memory {
	void		*base;
	unsigned int	size;
	u64		filler[7];
};

struct plt_entry {
	u32 adrp, add, br;
};

struct mod_plt_sec {
	int plt_shndx, plt_num_entries, plt_max_entries;
};

struct mod_arch_specific {
	struct mod_plt_sec	core, init;
	struct plt_entry	*ftrace_trampolines;
	struct plt_entry	*init_ftrace_trampolines;
};

struct module {
	int				state;
	struct list_head		list;
	char				name[56];
	u64				filler[30];
	struct module_memory		mem[MOD_MEM_NUM_TYPES];	/* at 320 */
	struct mod_arch_specific	arch;			/* at 824 */
};

struct module *__module_text_address(unsigned long addr);
