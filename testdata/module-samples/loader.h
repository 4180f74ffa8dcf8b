/*
 * What a kernel's module loader has for ftrace on arm64: which sections it
 * rewrites, and the PLT entries that it writes. A kernel sample sets, before it
 * includes this:
 *
 *   VERMAGIC        what its modules say they are made for
 *   NO_INIT_PLT     it does not know .init.text.ftrace_trampoline (before 6.17)
 *   PLT_TARGET(t)   where a PLT entry for t leads, if not to t (a defect)
 *   PLT_FLAGS       the flags of a section for PLT entries, if not AX (a defect)
 */

#pragma once

#include "../vmlinux-samples/builders/kernel.h"

#ifndef PLT_TARGET
#define PLT_TARGET(t)	(t)
#endif

#ifndef PLT_FLAGS
#define PLT_FLAGS	(SHF_EXECINSTR | SHF_ALLOC)
#endif

#define ENOEXEC		8
#define SHT_SYMTAB	2
#define SHT_NOBITS	8
#define SHF_WRITE	1
#define SHF_ALLOC	2
#define SHF_EXECINSTR	4

typedef struct {
	unsigned char	e_ident[16];
	unsigned short	e_type, e_machine;
	u32		e_version;
	u64		e_entry, e_phoff, e_shoff;
	u32		e_flags;
	unsigned short	e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
} Elf64_Ehdr;

typedef struct {
	u32	sh_name, sh_type;
	u64	sh_flags, sh_addr, sh_offset, sh_size;
	u32	sh_link, sh_info;
	u64	sh_addralign, sh_entsize;
} Elf64_Shdr;

const char vermagic[] = VERMAGIC;

static bool is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline void rewrite(Elf64_Shdr *s, u64 size)
{
	s->sh_type = SHT_NOBITS;
	s->sh_flags = PLT_FLAGS;
	s->sh_addralign = 4;
	s->sh_size = size;
}

int module_frob_arch_sections(Elf64_Ehdr *ehdr, Elf64_Shdr *sechdrs, char *secstrings, struct module *mod)
{
	bool core = false, init = false, syms = false;

	for (int i = 0; i < ehdr->e_shnum; i++) {
		Elf64_Shdr *s = sechdrs + i;
		const char *name = secstrings + s->sh_name;

		if (is(name, ".plt")) {
			core = true;
			rewrite(s, sizeof(struct plt_entry));
		} else if (is(name, ".init.plt")) {
			init = true;
			rewrite(s, sizeof(struct plt_entry));
		} else if (is(name, ".text.ftrace_trampoline")) {
			rewrite(s, 2 * sizeof(struct plt_entry));
#ifndef NO_INIT_PLT
		} else if (is(name, ".init.text.ftrace_trampoline")) {
			rewrite(s, 2 * sizeof(struct plt_entry));
#endif
		} else if (s->sh_type == SHT_SYMTAB) {
			syms = true;
		}
	}
	return core && init && syms ? 0 : -ENOEXEC;
}

static const Elf64_Shdr *find(const Elf64_Ehdr *hdr, const Elf64_Shdr *sechdrs, const char *name)
{
	const char *names = (const char *)hdr + sechdrs[hdr->e_shstrndx].sh_offset;

	for (int i = 1; i < hdr->e_shnum; i++)
		if (is(names + sechdrs[i].sh_name, name))
			return sechdrs + i;
	return NULL;
}

static noinline void write_plt(volatile struct plt_entry *plt, const char *to)
{
	unsigned long target = PLT_TARGET((unsigned long)to);
	long pages = (long)(target >> 12) - (long)((unsigned long)plt >> 12);

	plt->adrp = 0x90000010 | (u32)(pages & 3) << 29 | (u32)(pages >> 2 & 0x7ffff) << 5;
	plt->add = 0x91000210 | (u32)(target & 0xfff) << 10;
	plt->br = 0xd61f0200;
}

static struct plt_entry *ftrace_plt(const Elf64_Shdr *s)
{
	struct plt_entry *plt = (void *)s->sh_addr;

	write_plt(plt, ftrace_caller);
#ifdef HAVE_REGS_CALLER
	write_plt(plt + 1, ftrace_regs_caller);
#endif
	return plt;
}

int module_finalize(const Elf64_Ehdr *hdr, const Elf64_Shdr *sechdrs, struct module *mod)
{
	const Elf64_Shdr *s = find(hdr, sechdrs, ".text.ftrace_trampoline");

	if (!s)
		return -ENOEXEC;
	mod->arch.ftrace_trampolines = ftrace_plt(s);
#ifdef NO_INIT_PLT
	mod->arch.init_ftrace_trampolines = mod->arch.ftrace_trampolines;
#else
	s = find(hdr, sechdrs, ".init.text.ftrace_trampoline");
	if (!s)
		return -ENOEXEC;
	mod->arch.init_ftrace_trampolines = ftrace_plt(s);
#endif
	return 0;
}

/* Where modules are placed: known by these names. */
#ifdef HAVE_REGS_CALLER
u64 module_alloc_base;
u64 module_emit_plt_entry(void) { return 0; }
#else
u64 module_direct_base, module_plt_base;
#endif
