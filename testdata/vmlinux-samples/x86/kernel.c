// What the samples' code calls of the rest of the kernel. ftlint has stand-ins for
// all of it, so that nothing is done here.

#include "sites.h"

void mutex_lock(struct mutex *lock) { asm volatile("" : : "r"(lock)); }
void mutex_unlock(struct mutex *lock) { asm volatile("" : : "r"(lock)); }
int set_memory_rox(unsigned long addr, int numpages) { return addr && numpages ? 0 : -EINVAL; }
int set_memory_ro(unsigned long addr, int numpages) { return addr && numpages ? 0 : -EINVAL; }
int set_memory_rw(unsigned long addr, int numpages) { return addr && numpages ? 0 : -EINVAL; }
int set_memory_x(unsigned long addr, int numpages) { return addr && numpages ? 0 : -EINVAL; }
int set_memory_nx(unsigned long addr, int numpages) { return addr && numpages ? 0 : -EINVAL; }
void *text_poke(void *addr, const void *opcode, unsigned long len) { return opcode && len ? addr : NULL; }
void text_poke_bp(void *addr, const void *opcode, unsigned long len, const void *emulate)
{
	asm volatile("" : : "r"(addr), "r"(opcode), "r"(len), "r"(emulate));
}
void *execmem_alloc(enum execmem_type type, unsigned long size) { return type && size ? text_mutex.words : NULL; }
void execmem_free(void *ptr) { asm volatile("" : : "r"(ptr)); }
long copy_from_kernel_nofault(void *dst, const void *src, unsigned long size)
{
	asm volatile("" : : "r"(src), "r"(size));
	return dst ? 0 : -EFAULT;
}
ftrace_func_t ftrace_ops_get_func(struct ftrace_ops *ops) { return ops->func; }


int ftrace_poke_late = 1;
void text_poke_early(void *addr, const void *opcode, unsigned long len)
{
	asm volatile("" : : "r"(addr), "r"(opcode), "r"(len));
}
void text_poke_queue(void *addr, const void *opcode, unsigned long len, const void *emulate)
{
	text_poke_bp(addr, opcode, len, emulate);
}
void text_poke_finish(void) { asm volatile(""); }
void sort(void *base, unsigned long num, unsigned long size, int (*cmp)(const void *a, const void *b), void *swap)
{
	asm volatile("" : : "r"(base), "r"(num), "r"(size), "r"(cmp), "r"(swap));
}
