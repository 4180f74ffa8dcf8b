// What code that is built with KASAN calls: the checks look up the shadow byte of
// the address, as those of the kernel do.

#include "kernel.h"

#define OFFSET 0xdfff800000000000UL
#define unchecked __attribute__((no_sanitize("kernel-address")))

unchecked void kasan_report(unsigned long addr)
{
	__builtin_trap();
}

static inline unchecked void check(unsigned long addr)
{
	if (*(volatile signed char *)((addr >> 3) + OFFSET))
		kasan_report(addr);
}

#define CHECKS(size) \
	unchecked void __asan_load##size##_noabort(unsigned long addr) { check(addr); } \
	unchecked void __asan_store##size##_noabort(unsigned long addr) { check(addr); } \
	unchecked void __asan_report_load##size##_noabort(unsigned long addr) { kasan_report(addr); } \
	unchecked void __asan_report_store##size##_noabort(unsigned long addr) { kasan_report(addr); }
CHECKS(1) CHECKS(2) CHECKS(4) CHECKS(8) CHECKS(16)

unchecked void __asan_handle_no_return(void)
{
}
