package patchchecks_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// rulesOf are the IDs of the findings of a result, sorted, each once.
func rulesOf(res *finding.Result) string {
	var ids []string
	for _, f := range res.Findings {
		ids = append(ids, f.Rule.ID)
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

// A form is a way to write something in C, and the rules that it breaks.
type form struct{ text, want string }

// testForms lints each form as a source file. only are the beginnings of the IDs of
// the rules that are looked at.
func testForms(t *testing.T, path string, only []string, forms []form) {
	t.Helper()
	for _, f := range forms {
		got := slices.DeleteFunc(strings.Fields(rulesOf(lintText(t, path, f.text, lint.Config{}))), func(id string) bool {
			return !slices.ContainsFunc(only, func(p string) bool { return strings.HasPrefix(id, p) })
		})
		if s := strings.Join(got, " "); s != f.want {
			t.Errorf("%s\ngives %q, want %q", f.text, s, f.want)
		}
	}
}

// An instruction that is made by hand is found wherever it goes: through any
// pointer, by any macro, as a result.
func TestInstructionForms(t *testing.T) {
	bl := "static u32 *f(u32 *p, long off)\n{\n\tu32 insn = 0x94000000;\n\n\tinsn |= off & 0x3ffffff;\n\t"
	stmt := func(s string) string { return "static u32 f(u32 *p, u32 *base, long off)\n{\n\t" + s + "\n}\n" }
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT601", "FT603"}, []form{
		// The variable is completed, and leaves.
		{bl + "*p = insn;\n}\n", "FT601 FT603"},
		{bl + "p[0] = insn;\n}\n", "FT601 FT603"},
		{bl + "*p++ = insn;\n}\n", "FT601 FT603"},
		{bl + "*(u32 *)(p + off) = insn;\n}\n", "FT601 FT603"},
		{bl + "*p = cpu_to_le32(insn);\n}\n", "FT601 FT603"},
		{bl + "WRITE_ONCE(*p, insn);\n}\n", "FT601 FT603"},
		{bl + "WRITE_ONCE(*p, cpu_to_le32(insn));\n}\n", "FT601 FT603"},
		{bl + "smp_store_release(p, insn);\n}\n", "FT601 FT603"},
		{bl + "put_unaligned_le32(insn, p);\n}\n", "FT601 FT603"},
		{bl + "memcpy(p, &insn, 4);\n}\n", "FT601 FT603"},
		{bl + "copy_to_kernel_nofault(p, &insn, sizeof(insn));\n}\n", "FT601 FT603"},
		{bl + "aarch64_insn_write(p, insn);\n}\n", "FT601 FT603"},
		{bl + "aarch64_insn_patch_text(&addr, &insn, 1);\n}\n", "FT601 FT603"},
		{bl + "emit_insn(p, insn);\n}\n", "FT601 FT603"},
		{bl + "return insn;\n}\n", "FT601 FT603"},
		{bl + "return cpu_to_le32(insn);\n}\n", "FT601 FT603"},
		{strings.ReplaceAll(bl, "insn", "x") + "*p = x;\n}\n", "FT601 FT603"}, // whatever it is called
		// The constant leaves at once.
		{stmt("*p++ = 0xd503201f;"), "FT601"},
		{stmt("*p++ = 0xd65f03c0;"), "FT601"},
		{stmt("*base = cpu_to_le32(0xd61f0220);"), "FT601"},
		{stmt("WRITE_ONCE(*p, 0xd503245f);"), "FT601"},
		{stmt("return 0xd503201f;"), "FT601"},
		{stmt("return 0x14000000 | (off & GENMASK(25, 0));"), "FT601 FT603"},
		{stmt("*p = 0x14000000 | ((off >> 2) & 0x03ffffff);"), "FT601 FT603"},
		{stmt("*p = 0x58000011 | (((off >> 2) & 0x7ffff) << 5);"), "FT601 FT603"},
		{stmt("*p = off ? 0xd503201f : 0xd65f03c0;"), "FT601"},
		// Macros and tables.
		{"#define BL_OP 0x94000000\n" + stmt("*p = BL_OP | (off & 0x3ffffff);"), "FT601 FT603"},
		{"#define BL_OP (0x94000000U)\n" + stmt("u32 insn = off & 0x3ffffff;\n\tinsn |= BL_OP;\n\t*p = insn;"), "FT601 FT603"},
		{"#define BL(off) (0x94000000 | \\\n\t((off) & 0x3ffffff))\n" + stmt("*p = BL(off);"), "FT601"},
		{"#define NOP 0xd503201f\n" + stmt("return NOP;"), "FT601"},
		{"static const u32 tmpl[] = { 0x58000051, 0xd61f0220 };\n" + stmt("memcpy(p, tmpl, sizeof(tmpl));"), "FT601"},
		{"static const u32 words[] = {\n\t[0] = 0xa9bf7bfd,\n\t[1] = 0x910003fd,\n};\n" + stmt("aarch64_insn_copy(p, words, sizeof(words));"), "FT601"},
		{stmt("u32 words[] = { 0xa9bf7bfd, 0x910003fd };\n\tu32 *to = module_alloc(8);\n\tmemcpy(to, words, 8);"), "FT601"},
		// Numbers that are not instructions.
		{stmt("*p = 0x58000002;"), ""},
		{stmt("*p++ = 0x14000000;"), ""},
		{stmt("return 0x94000000;"), ""},
		{stmt("return off == 0xd503201f;"), ""},
		{stmt("return (off & 0xfc000000) == 0x94000000;"), ""},
		{stmt("if (*p == 0xd503201f) return 1;"), ""},
		{stmt("p[0] = off & 0x3ffffff;"), ""},
		{stmt("u32 insn = *p;\n\treturn insn == 0xd503201f;"), ""},
		{"#define REG 0x58000002\n" + stmt("writel(REG, p);"), ""},
		{"static const u32 sha[] = { 0x5a827999, 0x6ed9eba1 };\n" + stmt("memcpy(p, sha, sizeof(sha));"), ""},
	})
}

// Statements of arm64 that have words of x86 are found by their operands, in files of
// assembly and inline. What x86 has is not.
func TestStatementForms(t *testing.T) {
	head := "SYM_FUNC_START(f)\n\tpush %rbp\n"
	forms := []form{
		{"\tb 1f\n", "FT501"},
		{"1:\tb\t1b\n", "FT501"},
		{"\tmov w0, #1\n", "FT501"},
		{"\tmov\tx9, x30_of_caller\n", "FT501"},
		{"\tmov x0, x1\n", "FT501"},
		{"\tadd x0, x0, x1\n", "FT501"},
		{"\tadd sp, sp, #16\n", "FT501"},
		{"\tstr x0, [sp]\n", "FT501"},
		{"\tldr x0, [sp, #-8]\n", "FT501"}, // once, for its word
		{"\tje 1f\n", ""},
		{"\tjmp b\n", ""},
		{"\tmov %rax, x9\n", ""},
		{"\tmovq x0, %rax\n", ""},
		{"\tmov $1, %eax\n", ""},
		{"\tvpxor x0, x1, x2\n", ""},
		{"\tstr %ax\n", ""},
		{"\tcall f /* of 1, #2 */\n", ""},
		{"\tmov $1, %eax # 1, #2 and #3\n", ""},
	}
	for i := range forms {
		forms[i].text = head + forms[i].text
	}
	testForms(t, "arch/x86/kernel/x.S", []string{"FT501"}, forms)
	testForms(t, "arch/arm64/kernel/x.S", []string{"FT501"}, []form{{"\tb 1f\n\tmov w0, #1\n\tmov x9, x30\n", ""}})
	inline := func(s string) string { return "void f(int b)\n{\n\tasm volatile(\"" + s + "\" : : \"b\" (b));\n}\n" }
	testForms(t, "arch/x86/kernel/x.c", []string{"FT501"}, []form{
		{inline(`b 1f\n\tnop\n1:`), "FT501"},
		{inline(`nop\n\tmov w0, #1\n`), "FT501"},
		{inline(`nop; mov x9, x0`), "FT501"},
		{inline(`jmp 1f\n\tmov $1, %%eax\n1:`), ""},
		{"/* mov w0, #1 */\nint a;\n", ""},
	})
}

// LR is the link register in some comments, and other things in others.
func TestLinkRegisterForms(t *testing.T) {
	testForms(t, "arch/x86/kernel/x.c", []string{"FT502"}, []form{
		{"/* LR in the sense of Linus review */\nint a;\n", ""},
		{"/* the LR of this patch */\nint a;\n", ""},
		{"/* the caller is in LR */\nint a;\n", "FT502"},
		{"/* LR is the caller */\nint a;\n", "FT502"},
	})
}

// An offset that is cut is found in each form of a mask. Fields that a value is cut
// to on purpose are not.
func TestMaskForms(t *testing.T) {
	stmt := func(s string) string {
		return "static u32 f(u32 insn, long off, long other, u32 reg)\n{\n\t" + s + "\n\treturn insn;\n}\n"
	}
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT603"}, []form{
		{stmt("insn |= off & 0x3ffffff;"), "FT603"},
		{stmt("insn |= 0x3ffffff & off;"), "FT603"},
		{stmt("insn |= (off >> 2) & GENMASK(25, 0);"), "FT603"},
		{stmt("insn |= off / 4 & (BIT(26) - 1);"), "FT603"},
		{stmt("insn |= off & ((1 << 26) - 1);"), "FT603"},
		{stmt("insn |= off & ((1UL << 26) - 1);"), "FT603"},
		{stmt("u32 mask = BIT(26) - 1;\n\tinsn |= off & mask;"), "FT603"},
		{"#define IMM26_MASK 0x3ffffff\n" + stmt("insn |= off & IMM26_MASK;"), "FT603"},
		{stmt("insn = insn | (off & 0x3ffffff);"), "FT603"},
		{stmt("insn += off & 0x3ffffff;"), "FT603"},
		{stmt("insn |= (off & 0x7ffff) << 5;"), "FT603"},
		{stmt("insn |= ((off >> 2) & 0x7ffff) << 5;"), "FT603"},
		{stmt("insn |= (off << 5) & 0xffffe0;"), "FT603"},
		{stmt("insn |= (off << 5) & GENMASK(23, 5);"), "FT603"},
		{stmt("insn |= (off & 0x3fff) << 5;"), "FT603"}, // TBZ
		{stmt("insn |= (off & 0x7f) << 15;"), "FT603"},  // LDP
		{stmt("insn |= FIELD_PREP(GENMASK(25, 0), off >> 2);"), "FT603"},
		{stmt("insn |= u32_encode_bits(off >> 2, GENMASK(23, 5));"), "FT603"},
		{stmt("if (other < (4))\n\t\treturn 0;\n\tinsn |= off & 0x3ffffff;"), "FT603"}, // another's test
		{stmt("if (other < (long)reg)\n\t\treturn 0;\n\tinsn |= (u32)(long)off & 0x3ffffff;"), "FT603"},
		// Tested.
		{stmt("if (off < -SZ_128M || off >= SZ_128M)\n\t\treturn 0;\n\tinsn |= (off >> 2) & 0x3ffffff;"), ""},
		{stmt("if (!in_range(off, 0, 4))\n\t\treturn 0;\n\tinsn |= (off >> 2) & 0x3ffffff;"), ""},
		// On purpose.
		{stmt("insn |= (off & 0xffff) << 5;"), ""},                           // MOVZ, MOVK
		{stmt("insn |= ((off >> 16) & 0xffff) << 5;"), ""},                   // the next 16 bits
		{stmt("insn |= (off & GENMASK(15, 0)) << 5;"), ""},                   // the same
		{"#define IMM16 0xffff\n" + stmt("insn |= (off & IMM16) << 5;"), ""}, // the same
		{stmt("insn |= (reg & 0x1f) << 5;"), ""},                             // a register
		{stmt("insn |= reg & 0x1f;"), ""},                                    // a register
		{stmt("insn |= (off & 0xfff) << 10;"), ""},                           // :lo12:
		{stmt("insn &= 0xffe0001f;"), ""},
		{stmt("off = (insn & 0x3ffffff) << 2;"), ""}, // decoding
		{stmt("insn = insn & 0x3ffffff;"), ""},       // decoding
	})
}

// A local label is no end label: no C code can name it.
func TestEndLabelForms(t *testing.T) {
	fn := func(label string) string {
		return "SYM_FUNC_START(f)\n\tsubs\tx0, x0, #1\n\tb.ne\t1f\n" + label + ":\n\tret\n1:\tmov\tx0, x1\n\tret\nSYM_FUNC_END(f)\n"
	}
	last := func(label string) string {
		return "SYM_FUNC_START(f)\n\tsubs\tx0, x0, #1\n" + label + ":\n\tret\nSYM_FUNC_END(f)\n"
	}
	testForms(t, "arch/arm64/kernel/x.S", []string{"FT104"}, []form{
		{last("f_end"), "FT104"},
		{last("ftrace_common_end"), "FT104"},
		{last(".Lloop_end"), ""},
		{last(".Lcrypt_end"), ""},
		{last(".L_end"), ""},
		{fn("f_end"), ""},
	})
}

// In a sentence a name that is near another one may be one that the kernel has
// elsewhere.
func TestNameForms(t *testing.T) {
	near := func(word, name string) string {
		return "/* " + word + " is generic */\nstatic int " + name + "(int x)\n{\n\treturn x;\n}\n"
	}
	drawn := func(word, name string) string {
		return "/*\n * | " + word + " | <= |\n */\nstatic int " + name + "(int x)\n{\n\treturn x;\n}\n"
	}
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT605"}, []form{
		{near("pmd_offset", "pud_offset"), ""},
		{near("ptep_clear", "pte_clear"), ""},
		{near("rcu_head_lock", "rcu_read_lock"), ""},
		{near("trap_handler", "tramp_handler"), ""},
		{near("set_memory_rp", "set_memory_rw"), ""},
		{near("kvm_mmmu_cache_min_pages", "kvm_mmu_cache_min_pages"), "FT605"},
		{near("patch_textt", "patch_text"), "FT605"},
		{near("build_tremp", "build_tramp"), "FT605"},
		{near("build_tarmp", "build_tramp"), "FT605"},
		{near("build_trap", "build_tramp"), ""},
		{drawn("pmd_offset", "pud_offset"), "FT605"},
		{drawn("ftrace_opt", "ftrace_ops"), "FT605"},
	})
}

// How code is written matters where it has to do with tracing, entry code, text
// patching or memory for code.
func TestAboutForms(t *testing.T) {
	twins := func(call string) string {
		fn := "static int NAME(struct thing *t, unsigned long a)\n{\n\tunsigned long b = a + t->offset, c;\n\n\tif (!t->size || b < a)\n\t\treturn -EINVAL;\n\tc = b - t->start;\n\tCALL(t, c, LAST);\n\treturn t->flags & 4 ? 0 : -EBUSY;\n}\n"
		r := strings.NewReplacer("CALL", call)
		return r.Replace(strings.NewReplacer("NAME", "f", "LAST", "one").Replace(fn) + strings.NewReplacer("NAME", "g", "LAST", "two").Replace(fn))
	}
	for path, want := range map[string]string{
		"arch/arm64/kernel/ftrace.c": "FT604", "arch/arm64/kernel/entry-common.c": "FT604", "arch/arm64/kernel/patching.c": "FT604",
		"arch/arm64/net/bpf_jit_comp.c": "FT604", "arch/arm64/kvm/mmu.c": "", "arch/arm64/kernel/perf_event.c": "",
	} {
		testForms(t, path, []string{"FT604"}, []form{{twins("use"), want}})
	}
	testForms(t, "arch/arm64/kvm/mmu.c", []string{"FT604"}, []form{
		{twins("ftrace_modify_call"), "FT604"}, {twins("aarch64_insn_patch_text_nosync"), "FT604"}, {twins("set_memory_x"), "FT604"}, {twins("trace_event"), ""},
	})
	// A patch's message and comments.
	mail := func(path, line string) string {
		return "From: a@example.org\nSubject: [PATCH] x\n\nThis is faster. TODO: more.\n---\n" +
			strings.ReplaceAll("diff --git a/PATH b/PATH\n--- a/PATH\n+++ b/PATH\n@@ -1 +1,2 @@\n int a;\n+", "PATH", path) + line + "\n"
	}
	for _, test := range []struct{ path, line, want string }{
		{"arch/arm64/kernel/ftrace.c", "int b; /* FIXME */", "FT606 FT607"},
		{"arch/arm64/kernel/entry.S", "\tnop // FIXME", "FT606 FT607"},
		{"kernel/trace/ftrace.c", "int b;", "FT606 FT607"},
		{"arch/arm64/kvm/mmu.c", "int b; /* FIXME */", ""},
		{"arch/arm64/kvm/mmu.c", "int b = set_memory_x(p, 1);", "FT606 FT607"},
		{"drivers/net/x.c", "int b; /* FIXME */", ""},
		{"drivers/net/x.c", "int ftrace;", ""},
	} {
		res := lintText(t, "x.patch", mail(test.path, test.line), lint.Config{})
		if got := rulesOf(res); got != test.want {
			t.Errorf("%s, %s: %q, want %q", test.path, test.line, got, test.want)
		}
	}
}

// Text that is overwritten unread is found at any computed address.
func TestOverwriteForms(t *testing.T) {
	fn := func(s string) string {
		return "static int f(unsigned long tramp, void *image, void *orig, struct rec *rec, unsigned int off, u32 new)\n{\n\t" + s + "\n}\n"
	}
	hook := "u32 new = aarch64_insn_gen_branch_imm((unsigned long)orig, to, AARCH64_INSN_BRANCH_NOLINK);\n\t"
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT602"}, []form{
		{fn("return aarch64_insn_patch_text_nosync((void *)(tramp + off), new);"), "FT602"},
		{fn("return aarch64_insn_patch_text_nosync(image + off, new);"), "FT602"},
		{fn("return aarch64_insn_patch_text_nosync(image + 8, new);"), "FT602"},
		{fn("return aarch64_insn_write((void *)tramp + off, new);"), "FT602"},
		{fn("void *slot = image + off;\n\treturn aarch64_insn_patch_text_nosync(slot, new);"), "FT602"},
		{fn("unsigned long pc = tramp + off * 4;\n\treturn aarch64_insn_patch_text_nosync((void *)pc, new);"), "FT602"},
		{fn("void *addrs[] = { image + off };\n\treturn aarch64_insn_patch_text(addrs, &new, 1);"), "FT602"},
		{fn("unsigned long pc = tramp + off;\n\treturn ftrace_modify_code(pc, 0, new, false);"), "FT602"},
		{fn(hook + "return aarch64_insn_patch_text_nosync(orig, new);"), "FT602"},
		{fn(hook + "return aarch64_insn_patch_text_nosync((void *)orig, new);"), "FT602"},
		{fn("u32 new = aarch64_insn_gen_branch_imm(rec->ip, to, 0);\n\treturn aarch64_insn_write((void *)rec->ip, new);"), "FT602"},
		{fn("void *at = (void *)kallsyms_lookup_name(name);\n\tnew = aarch64_insn_gen_branch_imm((unsigned long)at, to, 0);\n\treturn aarch64_insn_write(at, new);"), "FT602"},
		{fn("u32 old;\n\taarch64_insn_read(orig, &old);\n\treturn aarch64_insn_write(image + off, new);"), "FT602"}, // another's
		{fn("if (memcmp(orig, rec, 8))\n\t\treturn 0;\n\treturn aarch64_insn_write(image + off, new);"), "FT602"},   // another's
		// The old instruction is read or compared.
		{fn("u32 old;\n\taarch64_insn_read(image + off, &old);\n\treturn aarch64_insn_write(image + off, new);"), ""},
		{fn("if (*(u32 *)(image + off) != old)\n\t\treturn 0;\n\treturn aarch64_insn_write(image + off, new);"), ""},
		{fn("if (le32_to_cpu(*(__le32 *)(tramp + off)) != old)\n\t\treturn 0;\n\treturn aarch64_insn_write((void *)(tramp + off), new);"), ""},
		{fn("if (memcmp(image + off, &old, 4))\n\t\treturn 0;\n\treturn aarch64_insn_write(image + off, new);"), ""},
		// The address is that of a symbol, or of a record, or the next word.
		{fn("return aarch64_insn_patch_text_nosync(rec->addr, new);"), ""},
		{fn("return aarch64_insn_patch_text_nosync((void *)jump_entry_code(entry), new);"), ""},
		{fn("void *p = (void *)jump_entry_code(rec);\n\tnew = aarch64_insn_gen_branch_imm(jump_entry_code(rec), to, 0);\n\treturn aarch64_insn_patch_text_nosync(p, new);"), ""},
		{fn("u32 *addr = rec->insn;\n\taarch64_insn_patch_text_nosync(addr, new);\n\treturn aarch64_insn_patch_text_nosync(addr + 1, new);"), ""},
	})
}

// Memory that is writable and executable at once, however it comes to be so.
func TestWritableExecutableForms(t *testing.T) {
	fn := func(s string) string { return "static void *f(unsigned long a, unsigned long n)\n{\n\t" + s + "\n}\n" }
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT301"}, []form{
		{fn("return __vmalloc_node_range(n, 1, VMALLOC_START, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL_EXEC, 0, -1, NULL);"), "FT301"},
		{fn("return __vmalloc(n, GFP_KERNEL, PAGE_KERNEL_EXEC);"), "FT301"},
		{fn("return vmap(pages, 1, VM_MAP, PAGE_KERNEL_EXEC);"), "FT301"},
		{fn("pgprot_t prot = PAGE_KERNEL_EXEC;\n\treturn vmap(pages, 1, VM_MAP, prot);"), "FT301"},
		{fn("return vmalloc_exec(n);"), "FT301"},
		{fn("set_memory_rw(a, 1);\n\tset_memory_x(a, 1);"), "FT301"},
		{fn("set_memory_rw(a, 1);\n\tset_memory_x(a & PAGE_MASK, 1);"), "FT301"},
		{fn("set_memory_ro(a, 1);\n\tset_memory_x(a, 1);\n\tset_memory_rw(a, 1);\n\tmemset((void *)a, 0, 4);"), "FT301"},
		{fn("set_memory_rox(a, 1);\n\tset_memory_rw(a, 1);"), "FT301"},
		{fn("void *p = module_alloc(n);\n\tset_memory_ro((unsigned long)p, 1);\n\tset_memory_rw((unsigned long)p, 1);\n\tset_memory_x((unsigned long)p, 1);"), "FT301"},
		{fn("void *p = execmem_alloc(EXECMEM_FTRACE, n);\n\tset_memory_x((unsigned long)p, 1);"), "FT301"},
		// Never both.
		{fn("return __vmalloc_node_range(n, 1, VMALLOC_START, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL, 0, -1, NULL);"), ""},
		{fn("return __vmalloc_node_range(n, 1, VMALLOC_START, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL_ROX, 0, -1, NULL);"), ""},
		{fn("return vmap(pages, 1, VM_MAP, PAGE_KERNEL);"), ""},
		{fn("create_mapping(a, n, PAGE_KERNEL_EXEC);"), ""}, // a page table, not memory
		{fn("set_memory_x(a, 1);"), ""}, // memory of others
		{fn("set_memory_rw(a, 1);\n\tset_memory_ro(a, 1);\n\tset_memory_x(a, 1);"), ""},
		{fn("set_memory_x(a, 1);\n\tset_memory_nx(a, 1);\n\tset_memory_rw(a, 1);"), ""},
		{fn("set_memory_rw(a & PAGE_MASK, 1);\n\tset_memory_x(n & PAGE_MASK, 1);"), ""},
		{fn("void *p = execmem_alloc(EXECMEM_FTRACE, n);\n\tset_memory_rox((unsigned long)p, 1);"), ""},
		{fn("void *p = execmem_alloc(EXECMEM_KPROBES, n);\n\treturn p;"), ""}, // read-only and executable from the beginning
		{fn("void *ro = bpf_prog_pack_alloc(n, fill);\n\tvoid *rw = kvmalloc(n, GFP_KERNEL);\n\tmemcpy(rw, image, n);\n\tbpf_arch_text_copy(ro, rw, n);\n\treturn ro;"), ""},
		{fn("header = bpf_jit_binary_pack_alloc(n, &ro, 4, &rw_header, &rw, fill);\n\tbpf_jit_binary_pack_finalize(header, rw_header);\n\treturn ro;"), ""},
	})
}

// Code memory that is read-only is not stored to straight: the writable buffer is, or
// the patching interface is called.
func TestReadOnlyForms(t *testing.T) {
	fn := func(s string) string {
		return "static int f(struct jit_ctx *ctx, unsigned long n, u32 insn, void *src)\n{\n\t" + s + "\n\treturn 0;\n}\n"
	}
	pack := "header = bpf_jit_binary_pack_alloc(n, &ro_ptr, 4, &rw_header, &rw_ptr, fill);\n\t"
	testForms(t, "arch/arm64/net/x.c", []string{"FT305"}, []form{
		{fn("ctx->ro_image[ctx->idx] = cpu_to_le32(insn);"), "FT305"},
		{fn("memcpy(ctx->ro_image + n, src, 4);"), "FT305"},
		{fn("u32 *p = ctx->ro_image;\n\t*p = insn;"), "FT305"},
		{fn(pack + "memcpy(ro_ptr, src, n);"), "FT305"},
		{fn(pack + "u32 *p = (u32 *)ro_ptr;\n\tp[0] = insn;"), "FT305"},
		{fn("u32 *p = bpf_prog_pack_alloc(n, fill);\n\t*p++ = insn;"), "FT305"},
		{fn("void *p = execmem_alloc(EXECMEM_KPROBES, n);\n\tmemcpy(p, src, n);"), "FT305"},
		{fn("void *p = module_alloc(n);\n\tset_memory_ro((unsigned long)p, 1);\n\tmemcpy(p, src, n);"), "FT305"},
		{fn("void *p = module_alloc(n);\n\tset_memory_rox((unsigned long)p, 1);\n\tmemset(p, 0, n);"), "FT305"},
		{fn("u32 *p = module_alloc(n);\n\tunsigned long a = (unsigned long)p;\n\tset_memory_ro(a, 1);\n\tp[1] = insn;"), "FT305"},
		// The writable alias, or the interface.
		{fn("ctx->image[ctx->idx] = cpu_to_le32(insn);"), ""},
		{fn(pack + "memcpy(rw_ptr, src, n);"), ""},
		{fn("void *p = bpf_prog_pack_alloc(n, fill);\n\tbpf_arch_text_copy(p, src, n);"), ""},
		{fn("void *p = execmem_alloc(EXECMEM_KPROBES, n);\n\taarch64_insn_copy(p, src, n);"), ""},
		{fn("void *p = module_alloc(n);\n\tmemcpy(p, src, n);\n\tset_memory_ro((unsigned long)p, 1);"), ""},
		{fn("void *p = module_alloc(n);\n\tset_memory_ro((unsigned long)p, 1);\n\tset_memory_rw((unsigned long)p, 1);\n\tmemcpy(p, src, n);"), ""},
		{fn("void *p = module_alloc(n);\n\tif (ctx->done)\n\t\tset_memory_ro((unsigned long)p, 1);\n\tmemcpy(p, src, n);"), ""},
		{fn("void *p = module_alloc(n), *q = vmalloc(n);\n\tset_memory_ro((unsigned long)p, 1);\n\tmemcpy(q, src, n);"), ""},
		{fn("void *p = ctx->ro_image;\n\tmemcpy(src, p, n);"), ""},
		{fn("ctx->ro_image = src;"), ""},
		{fn("u32 *p = ctx->image;\n\tlong off = (long)ctx->ro_image - n;\n\tp[0] = insn;"), ""},
		{fn("u32 *p = ctx->image;\n\tlong off = (long)ctx->ro_image - n;\n\tp[off] = insn;"), ""},
	})
}

// A generator emits in its second pass what it counted in the first.
func TestTwoPassForms(t *testing.T) {
	fn := func(s string) string {
		return "static int prepare(struct jit_ctx *ctx, struct bpf_tramp_image *im, struct bpf_prog *p, void *func_addr, int n)\n{\n\t" + s + "\n\treturn ctx->idx;\n}\n"
	}
	mov := "static void emit_load(int reg, u64 v, struct jit_ctx *ctx)\n{\n\temit(A64_MOVZ(1, reg, v & 0xffff, 0), ctx);\n\tif (v >> 16)\n\t\temit(A64_MOVK(1, reg, (v >> 16) & 0xffff, 16), ctx);\n}\n"
	fixed := "static void emit_load(int reg, u64 v, struct jit_ctx *ctx)\n{\n\tint shift = 0;\n\n\twhile (shift < 48) {\n\t\temit(A64_MOVK(1, reg, v & 0xffff, shift), ctx);\n\t\tshift += 16;\n\t}\n}\n"
	testForms(t, "arch/arm64/net/x.c", []string{"FT704"}, []form{
		{fn("emit_a64_mov_i64(A64_R(0), (const u64)im, ctx);"), "FT704"},
		{fn("emit_a64_mov_i64(A64_R(0), (unsigned long)im, ctx);"), "FT704"},
		{fn("u64 addr = (u64)im;\n\temit_a64_mov_i64(A64_R(0), addr, ctx);"), "FT704"},
		{fn("emit_a64_mov_i64(A64_R(0), (u64)(ctx->ro_image + n), ctx);"), "FT704"},
		{fn("emit_a64_mov_i64(A64_R(0), (u64)&ctx->image[n], ctx);"), "FT704"},
		{fn("if (n)\n\t\temit_a64_mov_i64(A64_R(0), (const u64)im, ctx);"), "FT704"},
		{mov + fn("emit_load(A64_R(0), (u64)im, ctx);"), "FT704"},
		{fn("if (ctx->image)\n\t\temit(A64_NOP, ctx);"), "FT704"},
		{fn("if (ctx->image != NULL) {\n\t\temit(A64_NOP, ctx);\n\t}"), "FT704"},
		{fn("if (ctx->image && n)\n\t\temit(A64_NOP, ctx);"), "FT704"},
		{fn("if (!ctx->image)\n\t\tn++;\n\telse\n\t\temit(A64_NOP, ctx);"), "FT704"},
		{fn("if (ctx->image == NULL) {\n\t\tn++;\n\t} else {\n\t\temit(A64_NOP, ctx);\n\t}"), "FT704"},
		// The most is counted, or the number is the same.
		{fn("if (!ctx->image)\n\t\tctx->idx += 4;\n\telse\n\t\temit_a64_mov_i64(A64_R(0), (const u64)im, ctx);"), ""},
		{fn("if (ctx->image)\n\t\temit_a64_mov_i64(A64_R(0), (const u64)im, ctx);\n\telse\n\t\tctx->idx += 4;"), ""},
		{fn("if (!ctx->image) {\n\t\tctx->idx += 4;\n\t\treturn 0;\n\t}\n\temit_a64_mov_i64(A64_R(0), (const u64)im, ctx);"), ""},
		{fn("if (ctx->image) {\n\t\temit(A64_NOP, ctx);\n\t\treturn 0;\n\t}\n\tctx->idx++;"), ""},
		{fn("emit_addr_mov_i64(A64_R(0), (const u64)im, ctx);"), ""},
		{fixed + fn("emit_load(A64_R(0), (u64)im, ctx);"), ""},
		// The same address in both passes.
		{fn("emit_a64_mov_i64(A64_R(0), (const u64)p, ctx);"), ""},
		{fn("emit_a64_mov_i64(A64_R(0), (const u64)func_addr, ctx);"), ""},
		{fn("emit_a64_mov_i64(A64_R(0), p->cookie, ctx);"), ""},
		{fn("emit_a64_mov_i64(A64_R(0), (u64)p - (u64)ctx->image, ctx);"), ""},
		// What only the image has is no instruction.
		{fn("__le32 *branch = ctx->image + ctx->idx;\n\n\temit(A64_NOP, ctx);\n\tif (ctx->image)\n\t\t*branch = cpu_to_le32(A64_CBZ(1, A64_R(0), n));"), ""},
		{fn("if (ctx->image)\n\t\tn = ctx->ro_image - im;\n\temit(A64_NOP, ctx);"), ""},
		{fn("if (ctx->ro_image - im < SZ_128M)\n\t\temit(A64_BL(n), ctx);"), ""},
	})
}

// A hunk shows a few lines of a function, often without a brace.
func TestGeneratorHunks(t *testing.T) {
	for _, test := range []struct{ section, lines, want string }{
		{"static int prepare_trampoline(struct jit_ctx *ctx,", " \t\temit(A64_LDR64I(A64_R(10), A64_SP, retaddr_off), ctx);\n-\t\temit(A64_RET(A64_R(10)), ctx);\n+\t\temit(A64_BR(A64_R(10)), ctx);\n \t\temit(A64_NOP, ctx);\n", "FT710"},
		{"static int prepare_trampoline(struct jit_ctx *ctx,", " \t * which is branched to, too.\n \t */\n-\temit_bti(A64_BTI_JC, ctx);\n+\temit_bti(A64_BTI_C, ctx);\n \temit(A64_NOP, ctx);\n", "FT710"},
		{"static int prepare_trampoline(struct jit_ctx *ctx,", " \temit(A64_NOP, ctx);\n \temit(A64_NOP, ctx);\n-\temit_addr_mov_i64(A64_R(0), (const u64)im, ctx);\n+\temit_a64_mov_i64(A64_R(0), (const u64)im, ctx);\n", "FT704"},
		{"static int prepare_trampoline(struct jit_ctx *ctx,", " \t\temit(A64_LDR64I(A64_R(10), A64_SP, retaddr_off), ctx);\n-\t\temit(A64_BLR(A64_R(10)), ctx);\n+\t\temit(A64_RET(A64_R(10)), ctx);\n \t\temit(A64_NOP, ctx);\n", ""},
	} {
		text := "--- a/arch/arm64/net/x.c\n+++ b/arch/arm64/net/x.c\n@@ -100," + hunkSize(test.lines, "+") + " +100," + hunkSize(test.lines, "-") + " @@ " + test.section + "\n" + test.lines
		if got := rulesOf(lintText(t, "x.patch", text, lint.Config{})); got != test.want {
			t.Errorf("%s\ngives %q, want %q", text, got, test.want)
		}
	}
}

// hunkSize is the number of a hunk's lines that do not begin with op.
func hunkSize(lines, op string) string {
	return strconv.Itoa(strings.Count(lines, "\n") - strings.Count("\n"+lines, "\n"+op))
}

// The literal of a PLT is aligned to 8 bytes, by its memory and by what is in front
// of it.
func TestLiteralForms(t *testing.T) {
	plt := func(pad string) string {
		return "static void build_plt(struct jit_ctx *ctx)\n{\n\t" + pad + "emit(A64_LDR64LIT(tmp, 2 * AARCH64_INSN_SIZE), ctx);\n\temit(A64_BR(tmp), ctx);\n}\n"
	}
	alloc := func(name, align string) string {
		return "static int compile(unsigned long size)\n{\n\thdr = " + name + "(size, &ptr, " + align + ", &rw_hdr, &rw, fill);\n\treturn 0;\n}\n"
	}
	nop := "if ((ctx->idx + PLT_TARGET_OFFSET / AARCH64_INSN_SIZE) % 2)\n\t\temit(A64_NOP, ctx);\n\t"
	pack := "bpf_jit_binary_pack_alloc"
	testForms(t, "arch/arm64/net/x.c", []string{"FT707"}, []form{
		{plt(nop) + alloc(pack, "sizeof(u32)"), "FT707"},
		{plt(nop) + alloc(pack, "4"), "FT707"},
		{plt(nop) + alloc("bpf_jit_binary_alloc", "AARCH64_INSN_SIZE"), "FT707"},
		{plt(""), "FT707"},
		{plt("if (ctx->image)\n\t\tctx->plt = ctx->idx;\n\t"), "FT707"},
		{plt(nop) + alloc(pack, "sizeof(u64)"), ""},
		{plt(nop) + alloc(pack, "8"), ""},
		{plt(nop), ""},
		{plt("if (ctx->idx & 1)\n\t\temit(A64_NOP, ctx);\n\t"), ""},
		{plt("if (!IS_ALIGNED(ctx->idx, 2))\n\t\temit(A64_NOP, ctx);\n\t"), ""},
		{plt("") + "static void f(struct jit_ctx *ctx)\n{\n\t" + nop + "build_plt(ctx);\n}\n", ""},
		// Code with no literal needs no more than its instructions.
		{alloc(pack, "sizeof(u32)"), ""},
		{"static void f(struct jit_ctx *ctx, int off)\n{\n\temit(A64_LDR64LIT(A64_R(0), off), ctx);\n}\n", ""},
	})
}

// A generated BR or BLR lands on a landing pad, and a return is a RET.
func TestLandingPadForms(t *testing.T) {
	fn := func(s string) string {
		return "static void prepare_trampoline(struct jit_ctx *ctx, struct bpf_tramp_image *im, int retaddr_off, int n)\n{\n\t" + s + "\n}\n"
	}
	plt := func(reg string) string {
		return "static void build_plt(struct jit_ctx *ctx)\n{\n\tif (ctx->idx % 2)\n\t\temit(A64_NOP, ctx);\n\temit(A64_LDR64LIT(" + reg + ", 8), ctx);\n\temit(A64_BR(" + reg + "), ctx);\n}\n"
	}
	prologue := func(s string) string {
		return "static int build_prologue(struct jit_ctx *ctx, bool sub)\n{\n\t" + s + "\n\temit(A64_MOV(1, A64_R(9), A64_LR), ctx);\n\temit(A64_NOP, ctx);\n\treturn 0;\n}\n"
	}
	load := "emit(A64_LDR64I(A64_R(10), A64_SP, retaddr_off), ctx);\n\t"
	pop := "emit(A64_POP(A64_FP, A64_LR, A64_SP), ctx);\n\temit(A64_POP(A64_FP, A64_R(9), A64_SP), ctx);\n\t"
	testForms(t, "arch/arm64/net/x.c", []string{"FT710"}, []form{
		{fn(load + "emit(A64_BLR(A64_R(10)), ctx);"), "FT710"},
		{fn(load + "emit(A64_BR(A64_R(10)), ctx);"), "FT710"},
		{fn(load + "emit(A64_MOV(1, A64_R(11), A64_R(10)), ctx);\n\temit(A64_BR(A64_R(11)), ctx);"), "FT710"},
		{fn(pop + "emit(A64_BR(A64_R(9)), ctx);"), "FT710"},
		{fn(pop + "emit(A64_MOV(1, A64_R(10), A64_LR), ctx);\n\temit(A64_MOV(1, A64_LR, A64_R(9)), ctx);\n\temit(A64_BR(A64_R(10)), ctx);"), "FT710"},
		{fn("emit(A64_BR(A64_LR), ctx);"), "FT710"},
		{fn("insn = aarch64_insn_gen_branch_reg(AARCH64_INSN_REG_LR, AARCH64_INSN_BRANCH_NOLINK);"), "FT710"},
		{fn("emit_bti(A64_BTI_C, ctx);"), "FT710"},
		{fn("if (IS_ENABLED(CONFIG_ARM64_BTI_KERNEL))\n\t\temit(A64_BTI_C, ctx);"), "FT710"},
		{plt("tmp") + prologue("emit_bti(A64_BTI_C, ctx);"), "FT710"},
		// RET, a call of a function, and pads of the right kind.
		{fn(load + "emit(A64_ADR(A64_LR, 8), ctx);\n\temit(A64_RET(A64_R(10)), ctx);"), ""},
		{fn(pop + "emit(A64_RET(A64_R(9)), ctx);"), ""},
		{fn("emit_addr_mov_i64(A64_R(10), (u64)im, ctx);\n\temit(A64_BLR(A64_R(10)), ctx);"), ""},
		{fn(load + "emit_addr_mov_i64(A64_R(10), (u64)im, ctx);\n\temit(A64_BLR(A64_R(10)), ctx);"), ""},
		{fn(load + "emit(A64_STR64I(A64_R(10), A64_SP, n), ctx);\n\temit(A64_LDR64I(A64_R(10), A64_R(0), n), ctx);\n\temit(A64_BR(A64_R(10)), ctx);"), ""},
		{fn("emit(A64_ADD_I(1, tmp, tmp, n), ctx);\n\temit(A64_BR(tmp), ctx);"), ""},
		{fn("insn = aarch64_insn_gen_branch_reg(AARCH64_INSN_REG_LR, AARCH64_INSN_BRANCH_RETURN);"), ""},
		{fn("insn = aarch64_insn_gen_branch_reg(AARCH64_INSN_REG_16, AARCH64_INSN_BRANCH_NOLINK);"), ""},
		{fn("emit_bti(A64_BTI_JC, ctx);"), ""},
		{plt("tmp") + prologue("emit_bti(A64_BTI_JC, ctx);"), ""},
		{plt("tmp") + prologue("if (sub)\n\t\temit_bti(A64_BTI_C, ctx);"), ""},
		{plt("A64_R(16)") + prologue("emit_bti(A64_BTI_C, ctx);"), ""},
		{prologue("emit_bti(A64_BTI_C, ctx);"), ""}, // nothing branches to it
	})
}

// Text that is written through an alias needs cache maintenance, by the function or
// by its callers.
func TestAliasForms(t *testing.T) {
	fn := func(s string) string {
		return "static void f(void *addr, const void *src, size_t len, u32 insn)\n{\n\t" + s + "\n}\n"
	}
	poke := "void *w = patch_map(addr, FIX_TEXT_POKE0);\n\tmemcpy(w, src, len);\n\tpatch_unmap(FIX_TEXT_POKE0);\n"
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT306"}, []form{
		{fn(poke), "FT306"},
		{fn("u32 *w = patch_map(addr, FIX_TEXT_POKE0);\n\t*w = insn;"), "FT306"},
		{fn("u32 *w = patch_map(addr, FIX_TEXT_POKE0);\n\tw[0] = insn;"), "FT306"},
		{fn("void *w = patch_map(addr, FIX_TEXT_POKE0);\n\tcopy_to_kernel_nofault(w, &insn, 4);"), "FT306"},
		{fn("void *w = (void *)set_fixmap_offset(FIX_TEXT_POKE0, __pa(addr));\n\tmemcpy(w, src, len);"), "FT306"},
		{fn("struct page *text_page = vmalloc_to_page(addr);\n\tvoid *w = vmap(&text_page, 1, VM_MAP, PAGE_KERNEL);\n\tmemcpy(w, src, len);"), "FT306"},
		{fn("flush_icache_range(a, b);\n\t" + poke), "FT306"}, // too early
		{fn(poke) + "void g(void)\n{\n\tf(a, b, 4);\n}\n", "FT306"},
		{fn(poke) + "void g(void)\n{\n\tflush_icache_range(a, b);\n\tf(a, b, 4);\n}\n", "FT306"},
		// Maintained.
		{fn(poke + "\tflush_icache_range((unsigned long)addr, (unsigned long)addr + len);"), ""},
		{fn(poke + "\tcaches_clean_inval_pou((unsigned long)addr, (unsigned long)addr + len);"), ""},
		{fn(poke) + "void g(void)\n{\n\tf(a, b, 4);\n\tcaches_clean_inval_pou(a, b);\n}\n", ""},
		{fn(poke) + "void g(void)\n{\n\tf(a, b, 4);\n}\nvoid h(void)\n{\n\tg();\n\tcaches_clean_inval_pou(a, b);\n}\n", ""},
		// Not text, or not a store.
		{fn("void *w = vmap(&page, 1, VM_MAP, PAGE_KERNEL);\n\tmemcpy(w, src, len);"), ""},
		{fn("void *w = patch_map(addr, FIX_TEXT_POKE0);\n\tmemcpy(dst, w, len);"), ""},
	})
}

// A PLT counts for the branch that uses it, and a test of the range for the branch
// whose addresses it is about.
func TestReachForms(t *testing.T) {
	fn := func(s string) string {
		return "static u32 *f(struct module *mod, unsigned long to)\n{\n\tu32 *p = module_alloc(PAGE_SIZE);\n\t" + s + "\n\treturn p;\n}\n"
	}
	branch := "u32 insn = aarch64_insn_gen_branch_imm((unsigned long)p, to, AARCH64_INSN_BRANCH_LINK);\n\t"
	testForms(t, "arch/arm64/kernel/x.c", []string{"FT608"}, []form{
		{fn(branch), "FT608"},
		{fn("p[0] = cpu_to_le32(aarch64_insn_gen_branch_imm((unsigned long)p, to, AARCH64_INSN_BRANCH_LINK));"), "FT608"},
		// Names like a PLT's, somewhere.
		{"static int plt_count;\n" + fn(branch), "FT608"},
		{"static struct plt_entry *get_ftrace_plt(struct module *mod);\n" + fn(branch), "FT608"},
		{fn("plt_count++;\n\t" + branch), "FT608"},
		{fn("unsigned long other = get_ftrace_plt(mod);\n\t" + branch), "FT608"},
		{fn(branch) + "static void g(struct module *mod)\n{\n\tuse(get_ftrace_plt(mod));\n}\n", "FT608"},
		// Tests of something else.
		{fn("if (in_range(other, 0, 8))\n\t\treturn NULL;\n\t" + branch), "FT608"},
		{fn("bool reachable = true;\n\t" + branch), "FT608"},
		{fn("if (mod->size > 4)\n\t\treturn NULL;\n\t" + branch), "FT608"},
		{fn(branch + "*p = AARCH64_BREAK_FAULT;"), "FT608"},
		// The branch uses a PLT, or is tested.
		{fn("to = get_ftrace_plt(mod);\n\t" + branch), ""},
		{fn("struct plt_entry *plt = get_ftrace_plt(mod);\n\tto = (unsigned long)plt;\n\t" + branch), ""},
		{fn("if (!ftrace_find_callable_addr(rec, mod, &to))\n\t\treturn NULL;\n\t" + branch), ""},
		{fn("to = (unsigned long)&mod->arch.plt_entries[0];\n\t" + branch), ""},
		{fn(branch + "if (insn == AARCH64_BREAK_FAULT)\n\t\treturn NULL;"), ""},
		{fn(branch + "if (AARCH64_BREAK_FAULT == insn)\n\t\treturn NULL;"), ""},
		{fn("if (!in_range(to, (unsigned long)p - SZ_128M, SZ_256M))\n\t\treturn NULL;\n\t" + branch), ""},
		{fn("if (abs(to - (unsigned long)p) >= SZ_128M)\n\t\treturn NULL;\n\t" + branch), ""},
		{fn("if (is_long_jump(p, to))\n\t\treturn NULL;\n\t" + branch), ""},
		{"static u32 make(u32 *at, unsigned long to)\n{\n\treturn aarch64_insn_gen_branch_imm((unsigned long)at, to, 0);\n}\n" +
			fn("u32 insn = make(p, to);\n\tif (insn == AARCH64_BREAK_FAULT)\n\t\treturn NULL;"), ""},
		{"static u32 make(u32 *at, unsigned long to)\n{\n\treturn aarch64_insn_gen_branch_imm((unsigned long)at, to, 0);\n}\n" +
			fn("p[0] = make(p, to);"), "FT608"},
	})
}

// A call of set_memory_ro() or of cache maintenance counts for the buffer that its
// address may be in.
func TestBufferForms(t *testing.T) {
	fn := func(s string) string {
		s = strings.NewReplacer("RO(", "set_memory_ro((unsigned long)", "ROX(", "set_memory_rox((unsigned long)", "RW(", "set_memory_rw((unsigned long)",
			"X(", "set_memory_x((unsigned long)", "FLUSH(", "flush_icache_range((unsigned long)").Replace(s)
		return "static int f(struct tr *tr, const void *tmpl, unsigned long a, size_t n)\n{\n\tvoid *p = module_alloc(4096);\n\tvoid *q = module_alloc(4096);\n\tunsigned long addr;\n\tvoid *r;\n\n\t" +
			strings.ReplaceAll(s, "; ", ";\n\t") + "\n\treturn 0;\n}\n"
	}
	copied := "memcpy(p, tmpl, 4096); "
	testForms(t, "arch/arm64/kernel/l.c", []string{"FT301", "FT306"}, []form{
		// The call is on the other buffer.
		{fn(copied + "RO(q, 1); FLUSH(q, 0); X(p, 1);"), "FT301 FT306"},
		{fn(copied + "FLUSH(p, 0); RO(q, 1); X(p, 1);"), "FT301"},
		{fn(copied + "FLUSH(q, 0); ROX(p, 1);"), "FT306"},
		{fn(copied + "FLUSH(q + n, 0); ROX(p, 1);"), "FT306"},
		{fn(copied + "flush_icache_range((unsigned long)q & PAGE_MASK, 0); ROX(p, 1);"), "FT306"},
		{fn(copied + "flush_icache_range(PAGE_ALIGN_DOWN((unsigned long)q), 0); ROX(p, 1);"), "FT306"},
		{fn(copied + "caches_clean_inval_pou((unsigned long)q, (unsigned long)q + n); ROX(p, 1);"), "FT306"},
		{fn(copied + "aarch64_insn_copy(q, tmpl, n); ROX(p, 1);"), "FT306"},
		{fn(copied + "FLUSH(a, n); ROX(p, 1);"), "FT306"}, // the caller's
		{fn(copied + "r = q; FLUSH(r, 0); ROX(p, 1);"), "FT306"},
		{fn(copied + "addr = (unsigned long)q + n; flush_icache_range(addr, addr + n); ROX(p, 1);"), "FT306"},
		{fn(copied + "FLUSH(p, 0); r = q; RO(r, 1); X(p, 1);"), "FT301"},
		{fn(copied + "FLUSH(p, 0); for (addr = (unsigned long)q; addr < n; addr += PAGE_SIZE) set_memory_ro(addr, 1); X(p, 1);"), "FT301"},
		{fn(copied + "FLUSH(p, 0); RO(p, 1); RW(q, 1); RW(p, 1); X(p, 1);"), "FT301"},
		{fn("*(u32 *)(p + 4) = n; FLUSH(q, 0); ROX(p, 1);"), "FT306"},
		// The store is into the other buffer.
		{fn(copied + "RO(q, 1); X(q, 1);"), ""},
		{fn(copied + "ROX(q, 1);"), ""},
		{fn("*(u32 *)p = n; ROX(q, 1);"), ""},
		{fn("((u32 *)p)[1] = n; ROX(q, 1);"), ""},
		{fn("memcpy(q, tmpl, n); FLUSH(q, 0); " + copied + "ROX(q, 1);"), ""},
		{fn(copied + "FLUSH(p, 0); memcpy(q, tmpl, n); ROX(p, 1);"), ""},
		// The same buffer by another name.
		{fn(copied + "FLUSH(p, 0); RO(p, 1); X(p, 1);"), ""},
		{fn(copied + "FLUSH(p + n, 0); RO(p + n, 1); X(p, 1);"), ""},
		{fn(copied + "r = p; FLUSH(r, 0); RO(r, 1); X(p, 1);"), ""},
		{fn("r = p; memcpy(r, tmpl, n); FLUSH(p, 0); RO(p, 1); X(r, 1);"), ""},
		{fn("r = p; memcpy(r, tmpl, n); ROX(p, 1);"), "FT306"},
		{fn(copied + "addr = (unsigned long)p; flush_icache_range(addr, addr + n); set_memory_ro(addr, 1); X(p, 1);"), ""},
		{fn(copied + "r = n ? p : q; FLUSH(r, 0); RO(r, 1); X(p, 1);"), ""},
		{fn(copied + "r = q; if (n) r = p; FLUSH(r, 0); RO(r, 1); X(p, 1);"), ""},
		{fn(copied + "r = q + (p - q); FLUSH(r, 0); RO(r, 1); X(p, 1);"), ""},
		{fn(copied + "swap(p, q); FLUSH(q, 0); RO(q, 1); X(p, 1);"), ""},
		{fn(copied + "exchange(&q, p); FLUSH(q, 0); RO(q, 1); X(p, 1);"), ""},
		{fn(copied + "for (addr = (unsigned long)p; addr < n; addr += PAGE_SIZE) flush_icache_range(addr, addr + PAGE_SIZE); ROX(p, 1);"), ""},
		{fn("struct code *c = p; c->insns[0] = n; flush_icache_range((unsigned long)&c->insns, 0); RO(c, 1); X(p, 1);"), ""},
		{fn("struct code *c = p; memcpy(&c->insns, tmpl, n); flush_icache_range((unsigned long)&c->insns[0], 0); RO(p, 1); X(p, 1);"), ""},
		// The buffer cannot be told.
		{fn(copied + "tr->image = p; FLUSH(tr->image, 0); RO(tr->image, 1); X(p, 1);"), ""},
		{fn("tr->image = p; r = tr->image; memcpy(r, tmpl, n); FLUSH(r, 0); RO(r, 1); X(tr->image, 1);"), ""},
		{fn("void *image = tr->image; tr->image = p; memcpy(image, tmpl, n); FLUSH(tr->image, 0); RO(tr->image, 1); ROX(image, 1);"), ""},
		{fn(copied + "flush_icache_range(start_of(tr), 0); ROX(p, 1);"), ""},
		{fn(copied + "r = lookup(q); FLUSH(r, 0); ROX(p, 1);"), ""},
		{fn(copied + "FLUSH(*tr->slot, 0); ROX(p, 1);"), ""},
		{fn(copied + "FLUSH(pool, 0); ROX(p, 1);"), ""},
		{fn(copied + "icache_inval_all_pou(); ROX(p, 1);"), ""},
		{fn("memcpy(tr->image, tmpl, n); tr->image = p; ROX(p, 1);"), "FT306"}, // as a member, it may be p
		{fn(copied+"sync(q); ROX(p, 1);") + "static void sync(void *q)\n{\n\tflush_icache_range(start, end);\n}\n", ""},
	})
	// Values that double with each copy end the search.
	chain := "void *v0 = p; "
	for i := range 60 {
		v := "v" + strconv.Itoa(i)
		chain += "void *v" + strconv.Itoa(i+1) + " = " + v + " + (long)" + v + "; "
	}
	testForms(t, "arch/arm64/kernel/l.c", []string{"FT301", "FT306"}, []form{
		{fn(copied + chain + "FLUSH(v60, 0); RO(v60, 1); X(p, 1);"), ""},
	})
}
