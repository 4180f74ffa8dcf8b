/*
 * What a kernel's module loader has for ftrace on arm64: which sections it
 * rewrites, and the PLT entries that it writes. A kernel sample sets, before it
 * includes this:
 *
 *   VERMAGIC        what its modules say they are made for
 *   NO_INIT_PLT     it does not know .init.text.ftrace_trampoline (before 6.17)
 *   PLT_TARGET(t)   where a PLT entry for t leads, if not to t (a defect)
 *   PLT_FLAGS       the flags of a section for PLT entries, if not AX (a defect)
 *   IS_BRANCH(t)    whether a relocation of type t is of a branch, if not CALL26 and JUMP26 (a defect)
 *   IS_INIT(name)   whether a section is put into init memory, if not by .init (a defect)
 *   NO_UNLOAD       it cannot unload modules
 *   COUNT_ALL       it makes an entry for each branch, also for the second to one target
 */

#pragma once

#include "../vmlinux-samples/builders/kernel.h"

#ifndef PLT_TARGET
#define PLT_TARGET(t)	(t)
#endif

#ifndef PLT_FLAGS
#define PLT_FLAGS	(SHF_EXECINSTR | SHF_ALLOC)
#endif

#define R_AARCH64_JUMP26	282
#define R_AARCH64_CALL26	283

#ifndef IS_BRANCH
#define IS_BRANCH(t)	((t) == R_AARCH64_CALL26 || (t) == R_AARCH64_JUMP26)
#endif

#ifndef IS_INIT
#define IS_INIT(name)	begins(name, ".init")
#endif

#define ENOEXEC		8
#define SHT_SYMTAB	2
#define SHT_RELA	4
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

typedef struct {
	u64	r_offset;
	u32	r_type, r_sym;
	u64	r_addend;
} Elf64_Rela;

typedef struct {
	u32		st_name;
	unsigned char	st_info, st_other;
	unsigned short	st_shndx;
	u64		st_value, st_size;
} Elf64_Sym;

const char vermagic[] = VERMAGIC;

/* It can unload modules; a kernel that cannot has a weak stub. */
#ifdef NO_UNLOAD
__attribute__((weak))
#endif
long __arm64_sys_delete_module(void) { return 0; }

static bool is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool begins(const char *name, const char *with)
{
	while (*with && *name == *with)
		name++, with++;
	return !*with;
}

bool module_init_layout_section(const char *name)
{
	return IS_INIT(name);
}

/* Whether a branch may have to leave section s, for which its relocation is. */
static bool leaves(const Elf64_Rela *r, const Elf64_Sym *syms, u32 s)
{
	return IS_BRANCH(r->r_type) && syms[r->r_sym].st_shndx != s;
}

/* How many PLT entries the branches of a section need. */
static noinline int count_entries(const Elf64_Rela *first, const Elf64_Rela *end, const Elf64_Sym *syms, u32 s)
{
	int n = 0;

	for (const Elf64_Rela *r = first; r < end; r++) {
		const Elf64_Rela *same = r;

		if (!leaves(r, syms, s))
			continue;
#ifndef COUNT_ALL
		for (same = first; same < r; same++)
			if (leaves(same, syms, s) && same->r_sym == r->r_sym && same->r_addend == r->r_addend)
				break;
#endif
		n += same == r;
	}
	return n;
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
	const Elf64_Sym *syms = NULL;
	int core = 0, init = 0;

	for (int i = 0; i < ehdr->e_shnum; i++) {
		Elf64_Shdr *s = sechdrs + i;
		const char *name = secstrings + s->sh_name;

		if (is(name, ".plt"))
			mod->arch.core.plt_shndx = i;
		else if (is(name, ".init.plt"))
			mod->arch.init.plt_shndx = i;
		else if (is(name, ".text.ftrace_trampoline"))
			rewrite(s, 2 * sizeof(struct plt_entry));
#ifndef NO_INIT_PLT
		else if (is(name, ".init.text.ftrace_trampoline"))
			rewrite(s, 2 * sizeof(struct plt_entry));
#endif
		else if (s->sh_type == SHT_SYMTAB)
			syms = (void *)s->sh_addr;
	}
	if (!mod->arch.core.plt_shndx || !mod->arch.init.plt_shndx || !syms)
		return -ENOEXEC;
	for (int i = 0; i < ehdr->e_shnum; i++) {
		const Elf64_Shdr *s = sechdrs + i, *to = sechdrs + s->sh_info;
		const Elf64_Rela *r = (void *)ehdr + s->sh_offset;
		int n;

		if (s->sh_type != SHT_RELA || !(to->sh_flags & SHF_EXECINSTR))
			continue;
		n = count_entries(r, r + s->sh_size / sizeof(*r), syms, s->sh_info);
		if (module_init_layout_section(secstrings + to->sh_name))
			init += n;
		else
			core += n;
	}
	rewrite(sechdrs + mod->arch.core.plt_shndx, (core + 1) * sizeof(struct plt_entry));
	rewrite(sechdrs + mod->arch.init.plt_shndx, (init + 1) * sizeof(struct plt_entry));
	mod->arch.core.plt_num_entries = mod->arch.init.plt_num_entries = 0;
	mod->arch.core.plt_max_entries = core;
	mod->arch.init.plt_max_entries = init;
	return 0;
}

static const Elf64_Shdr *find(const Elf64_Ehdr *hdr, const Elf64_Shdr *sechdrs, const char *name)
{
	const char *names = (const char *)hdr + sechdrs[hdr->e_shstrndx].sh_offset;

	for (int i = 1; i < hdr->e_shnum; i++)
		if (is(names + sechdrs[i].sh_name, name))
			return sechdrs + i;
	return NULL;
}

static noinline void write_plt(volatile struct plt_entry *plt, unsigned long target)
{
	long pages = (long)(target >> 12) - (long)((unsigned long)plt >> 12);

	plt->adrp = 0x90000010 | (u32)(pages & 3) << 29 | (u32)(pages >> 2 & 0x7ffff) << 5;
	plt->add = 0x91000210 | (u32)(target & 0xfff) << 10;
	plt->br = 0xd61f0200;
}

/* Where an entry leads. */
static unsigned long plt_target(const struct plt_entry *plt)
{
	long pages = (int)(plt->adrp << 8) >> 13 << 2 | (plt->adrp >> 29 & 3);

	return ((long)((unsigned long)plt >> 12) + pages) << 12 | (plt->add >> 10 & 0xfff);
}

u64 module_emit_plt_entry(struct module *mod, Elf64_Shdr *sechdrs, void *loc, const Elf64_Rela *rela, Elf64_Sym *sym)
{
	const struct module_memory *init = mod->mem + MOD_INIT_TEXT;
	struct mod_plt_sec *sec = (u64)loc - (u64)init->base < init->size ? &mod->arch.init : &mod->arch.core;
	struct plt_entry *plt = (void *)sechdrs[sec->plt_shndx].sh_addr;
	unsigned long target = sym->st_value + rela->r_addend;

	for (int i = 0; i < sec->plt_num_entries; i++)
		if (plt_target(plt + i) == target)
			return (u64)(plt + i);
	if (WARN_ON(sec->plt_num_entries == sec->plt_max_entries))
		return 0;
	plt += sec->plt_num_entries++;
	write_plt(plt, target);
	return (u64)plt;
}

static struct plt_entry *ftrace_plt(const Elf64_Shdr *s)
{
	struct plt_entry *plt = (void *)s->sh_addr;

	write_plt(plt, PLT_TARGET((unsigned long)ftrace_caller));
#ifdef HAVE_REGS_CALLER
	write_plt(plt + 1, PLT_TARGET((unsigned long)ftrace_regs_caller));
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
#else
u64 module_direct_base, module_plt_base;
#endif
