package patchchecks_test

import (
	"slices"
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
