package patchscan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kinds writes tokens as "kind:text", with a # before those of directives.
func kinds(tokens []Token) string {
	var out []string
	for _, t := range tokens {
		pre := ""
		if t.Pre {
			pre = "#"
		}
		out = append(out, pre+[...]string{"name", "number", "string", "char", "comment", "op", "end", "gap"}[t.Kind]+":"+t.Text)
	}
	return strings.Join(out, " ")
}

func TestTokens(t *testing.T) {
	for _, test := range []struct {
		lang  Lang
		lines string
		want  string
	}{
		{LangC, `x = 0x1fUL; // retq`, `name:x op:= number:0x1fUL op:; comment:// retq`},
		{LangC, `p->a <<= 2 /* a */ + b;`, `name:p op:-> name:a op:<<= number:2 comment:/* a */ op:+ name:b op:;`},
		{LangC, "/* one\n * two */ int", `comment:/* one comment: * two */ name:int`},
		{LangC, `s = "no /* comment */ \" here";`, `name:s op:= string:"no /* comment */ \" here" op:;`},
		{LangC, `c = '"'; d = '\'';`, `name:c op:= char:'"' op:; name:d op:= char:'\'' op:;`},
		{LangC, "#define A \\\n\tretq\nint", "#op:# #name:define #name:A #op:\\ #name:retq name:int"},
		{LangC, "  # include <a.h>", "#op:# #name:include #op:< #name:a #op:. #name:h #op:>"},
		{LangC, `"never closed`, `string:"never closed`},
		{LangC, `a /* never closed`, `name:a comment:/* never closed`},
		{LangC, "a\x00b\u00a0c é", "name:a name:b name:c op:é"},
		{LangAsm, "\tldr x2, [x2, :lo12:sym] // op", "name:ldr name:x2 op:, op:[ name:x2 op:, op:: name:lo12 op:: name:sym op:] comment:// op end:"},
		{LangAsm, "1:\tb.ne 1b; nop", "number:1 op:: name:b.ne number:1b op:; name:nop end:"},
		{LangAsm, "\tadd sp, sp, #16 - 1", "name:add name:sp op:, name:sp op:, op:# number:16 op:- number:1 end:"},
		{LangAsm, "# a comment of gas", "comment:# a comment of gas end:"},
		{LangAsm, "#ifdef CONFIG_X // don't", "#op:# #name:ifdef #name:CONFIG_X #comment:// don't #end:"},
		{LangAsm, ".macro m, el\n\tmrs x\\el, spsr_\\el", `name:.macro name:m op:, name:el end: name:mrs name:x\el op:, name:spsr_\el end:`},
		{LangAsm, "callsite's: nop", `name:callsite op:' name:s op:: name:nop end:`},
		{LangAsm, "\tmovq %rsp, 8(%rdi)", "name:movq op:% name:rsp op:, number:8 op:( op:% name:rdi op:) end:"},
	} {
		got := kinds(scan(test.lang, strings.Split(test.lines, "\n")))
		if got != test.want {
			t.Errorf("%v %q:\n got %s\nwant %s", test.lang, test.lines, got, test.want)
		}
	}
}

// cOf is a C file whose lines are all added.
func cOf(text string) *Code {
	in, err := Parse("arch/arm64/kernel/x.c", text)
	if err != nil {
		panic(err)
	}
	return in.Source.Parse()
}

func TestFuncs(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain", "int f(void)\n{\n\treturn 0;\n}\n", "f whole"},
		{"two", "static void f(int a) { }\n\nu32 *g(void)\n{\n}\n", "f whole, g whole"},
		{"statements are none", "int f(void)\n{\n\tif (x) {\n\t\ty();\n\t}\n\twhile (z) { }\n}\n", "f whole"},
		{"data is not a function", "struct a {\n\tint b;\n};\nstatic struct ops o = { .f = g, };\nint h(void) { }\n", "h whole"},
		{"a prototype is not a function", "int f(void);\nint g(void) { }", "g whole"},
		{"attributes", "static int __init f(void) __releases(x)\n{\n}\n", "f whole"},
		{"not closed", "int f(void)\n{\n\treturn 0;\n", "f part"},
		{"macro", "SYSCALL_DEFINE1(f, int, a)\n{\n}\n", "SYSCALL_DEFINE1 whole"},
	} {
		var got []string
		for _, f := range cOf(test.text).Funcs {
			got = append(got, f.Name+map[bool]string{true: " whole", false: " part"}[f.Whole])
		}
		if s := strings.Join(got, ", "); s != test.want {
			t.Errorf("%s: %s, want %s", test.name, s, test.want)
		}
	}
}

// A hunk that begins within a function belongs to the function that its header
// names.
func TestPartOfFunc(t *testing.T) {
	in := parse(t, "x", "--- a/arch/arm64/kernel/x.c\n+++ b/arch/arm64/kernel/x.c\n"+
		"@@ -10,3 +10,4 @@ static u32 *f(unsigned long pc,\n \ta();\n+\tb();\n \tc();\n }\n"+
		"@@ -30,2 +31,3 @@ int g(void)\n \tif (x) {\n+\t\ty();\n \t}\n"+
		"@@ -50,2 +52,4 @@\n-int k;\n+int h(void)\n+{\n+\treturn 0;\n }\n"+
		"@@ -70,2 +74,3 @@ a comment begins above\n  * in it\n+ * int no(void) { }\n  */\n")
	var got []string
	for _, f := range in.Files()[0].Parse().Funcs {
		got = append(got, fmt.Sprintf("%s %t %d", f.Name, f.Whole, len(f.Calls())))
	}
	if diff := cmp.Diff([]string{"f false 3", "g false 1", "h true 0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAlways(t *testing.T) {
	code := cOf(`int f(void)
{
	first();
	if (in_condition()) {
		in_if();
		in_if2();
	} else
		in_else();
	for (i = 0; i < n; i++)
		in_loop();
	do { in_do(); } while (x);
	if (a) if (b) deep(); else deep_else();
	for_each_cpu(cpu) { in_each(); }
	last();
}
`)
	f := code.Funcs[0]
	at := map[string]int{}
	for _, c := range f.Calls() {
		at[c.Name] = c.At
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"first", "last", true}, {"last", "first", false},
		{"in_condition", "last", true}, {"in_if", "last", false}, {"in_if", "in_if2", true},
		{"in_if", "in_else", false}, {"in_else", "last", false}, {"first", "in_else", true},
		{"in_loop", "last", false}, {"in_do", "last", true}, {"deep", "last", false},
		{"deep", "deep_else", false}, {"first", "deep_else", true}, {"in_each", "last", false},
	} {
		if at[test.a] == 0 || at[test.b] == 0 {
			t.Fatalf("%s or %s is not a call: %v", test.a, test.b, at)
		}
		if got := f.Always(at[test.a], at[test.b]); got != test.want {
			t.Errorf("%s always before %s: %t, want %t", test.a, test.b, got, test.want)
		}
	}
}

func TestCallsAndAssigns(t *testing.T) {
	f := cOf(`int f(struct ops *ops)
{
	u32 *p = g(1, h(2, 3)), q = 4;

	*p = q;
	p[1] |= (q & 3) << 5;
	ops->trampoline = (unsigned long)p;
	if (x == y)
		return k();
}
`).Funcs[0]
	text := func(tokens []Token) (s string) {
		for _, t := range tokens {
			s += t.Text
		}
		return s
	}
	var got []string
	for _, c := range f.Calls() {
		s := c.Name + "("
		for _, a := range c.Args {
			s += text(a) + ";"
		}
		got = append(got, s+")")
	}
	for _, a := range f.Assigns() {
		got = append(got, fmt.Sprintf("%s %s %s %t", a.Name, a.Op, text(a.Value), a.Deref))
	}
	want := []string{"g(1;h(2,3);)", "h(2;3;)", "k()",
		"p = g(1,h(2,3)) false", "q = 4 false", "p = q true", "p[1] |= (q&3)<<5 false", "ops->trampoline = (unsignedlong)p false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStmts(t *testing.T) {
	in := parse(t, "x.S", `ENTRY(f)
	stp x29, x30, [sp, #-16]!	// save
1:	nop; b.ne 1b
SYM_INNER_LABEL(f_end, SYM_L_GLOBAL)
#ifdef CONFIG_X
f_local:
#endif
	ret
SYM_FUNC_END(f)
GLOBAL(g)
	.word 0x12345678
EXPORT_SYMBOL(f)
`)
	var got []string
	for _, s := range in.Source.Parse().Stmts {
		got = append(got, fmt.Sprintf("%d %s %s %t", s.Kind, s.Label, s.Op, s.IsInstruction()))
	}
	want := []string{"2 f entry false", "0  stp true", "1 1  false", "0  nop true", "0  b.ne true", "1 f_end sym_inner_label false",
		"1 f_local  false", "0  ret true", "3 f sym_func_end false", "1 g global false", "0  .word false", "0  export_symbol false", "4   false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// scan splits consecutive lines into tokens.
func scan(lang Lang, lines []string) []Token {
	var tokens []Token
	s := Scanner{Lang: lang}
	for i, l := range lines {
		tokens = s.Line(tokens, int32(i), l)
	}
	return tokens
}

// The left side of an assignment, in each form.
func TestLeftSides(t *testing.T) {
	for _, test := range []struct{ stmt, want string }{
		{"p = x;", "p var"},
		{"u32 *p = x;", "p var"},
		{"u32 *p = x, *q = y;", "p var, q var"},
		{"*p = x, *q = y;", "p stores, q stores"},
		{"*p++ = x;", "p stores"},
		{"*++p = x;", "p stores"},
		{"**p = x;", "p stores"},
		{"p[0] = x;", "p[0] stores"},
		{"p[f(i)] = x;", "p[f(i)] stores"},
		{"ctx->image[ctx->idx++] = x;", "ctx->image[ctx->idx++] stores"},
		{"*ctx->p++ = x;", "ctx->p stores"},
		{"a.b.c = x;", "a.b.c var"},
		{"*(u32 *)p = x;", "p stores"},
		{"*(u32 *)(p + 4) = x;", " stores"},
		{"*(p + 4) = x;", " stores"},
		{"(*p) = x;", " stores"},
		{"((u32 *)p)[3] = x;", "((u32*)p)[3] stores"},
		{"*ptr(p) = x;", "ptr(p) stores"},
		{"if (y) *p = x;", "p stores"},
		{"if (y) z(); else *p = x;", "p stores"},
		{"if ((p = x)) y();", "p var"},
		{"for (i = 0; i < n; i++) *p = x;", "i var, p stores"},
		{"struct s s = { .m = x };", "s var, .m var"},
		{"const u32 tmpl[] = { 1, 2 };", "tmpl[] stores"},
	} {
		var got []string
		for _, a := range cOf("void f(void)\n{\n\t" + test.stmt + "\n}\n").Funcs[0].Assigns() {
			got = append(got, a.Name+map[bool]string{true: " stores", false: " var"}[a.Stores()])
		}
		if s := strings.Join(got, ", "); s != test.want {
			t.Errorf("%s: %q, want %q", test.stmt, s, test.want)
		}
	}
}

func TestMacros(t *testing.T) {
	c := cOf("#define A 0x1\n#define B(x, y) (0x2 | \\\n\t((x) & (y))) /* two */\n#define EMPTY\n#define C (3)\nint a;\n")
	var got []string
	for _, name := range []string{"A", "B", "C", "EMPTY"} {
		m, ok := c.Macros()[name]
		s := name + strings.Join(m.Params, ",") + ":"
		for _, b := range m.Body {
			s += b.Text
		}
		got = append(got, fmt.Sprint(s, ok))
	}
	if diff := cmp.Diff([]string{"A:0x1true", "Bx,y:(0x2|((x)&(y)))true", "C:(3)true", "EMPTY:false"}, got); diff != "" {
		t.Error(diff)
	}
}

// The closing bracket is that of the same kind, whatever else is open.
func TestClosing(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"( a ( b ) c ) d", 6},
		{"[ a ( b ] c", 4},
		{"{ ( { } }", 4},
		{"( a", 2},
		{"a )", 2},
		{"", 0},
	} {
		var tokens []Token
		for _, word := range strings.Fields(c.text) {
			tokens = append(tokens, Token{Text: word})
		}
		if got := Closing(tokens, 0); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
}
