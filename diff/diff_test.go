package diff

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/tracing"
)

const samples = "../testdata/vmlinux-samples"

// compare compares two samples.
func compare(t *testing.T, old, new string, use func(*Diff)) {
	t.Helper()
	files(t, filepath.Join(samples, old), filepath.Join(samples, new), use)
}

func files(t *testing.T, old, new string, use func(*Diff)) {
	t.Helper()
	err := Files(context.Background(), [2]string{old, new}, func(d *Diff) error { use(d); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// TestSame holds kernels to what does not differ: themselves, the same code at other
// addresses and in another order, the same code with another form of relocations.
func TestSame(t *testing.T) {
	for _, pair := range [][2]string{
		{"changes-old.elf", "changes-old.elf"},
		{"changes-old.elf", "changes-moved.elf"},
		{"changes-moved.elf", "changes-old.elf"},
		{"callops-good.elf", "callops-good-rela.elf"},
		{"builders/sites-callops-good.elf", "builders/sites-callops-good.elf"},
		{"x86/good.elf", "x86/good-moved.elf"},
	} {
		compare(t, pair[0], pair[1], func(d *Diff) {
			if !d.Same() || d.Lost() {
				t.Errorf("%v: %+v", pair, d)
			}
		})
	}
}

// TestX64 compares a builder for x86-64 with one that differs in one step: at other
// addresses, and so with other operands in nearly every instruction.
func TestX64(t *testing.T) {
	compare(t, "x86/good-moved.elf", "x86/slot-next.elf", func(d *Diff) {
		if len(d.Code) != 1 || d.Code[0].Name != "arch_ftrace_update_trampoline" || len(d.Functions)+len(d.Capabilities)+len(d.Margins) > 0 {
			t.Errorf("%+v", d)
		}
		if !slices.ContainsFunc(d.Rules, func(r Rule) bool { return r.ID == "FT111" && len(r.Came) > 0 }) {
			t.Errorf("FT111 has not come: %+v", d.Rules)
		}
	})
	err := Files(context.Background(), [2]string{filepath.Join(samples, "regs-good.elf"), filepath.Join(samples, "x86/good.elf")}, func(*Diff) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "kernels of one architecture were expected") {
		t.Errorf("kernels of two architectures: %v", err)
	}
}

func TestSameKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: a kernel takes seconds")
	}
	for _, suite := range images.Kernels {
		t.Run(suite, func(t *testing.T) {
			path := images.Kernel(t, suite).Path
			files(t, path, path, func(d *Diff) {
				if !d.Same() {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

func TestChanges(t *testing.T) {
	compare(t, "changes-old.elf", "changes-new.elf", func(d *Diff) {
		if d.Same() || !d.Lost() {
			t.Errorf("same %v, lost %v", d.Same(), d.Lost())
		}
		var got []string
		for _, f := range d.Functions {
			line := f.Name
			for _, u := range f.Lost {
				line += " -" + u.Use.String()
			}
			for _, u := range f.Came {
				line += " +" + u.Use.String()
			}
			if f.Gone() {
				line += " gone"
			}
			got = append(got, line)
		}
		want := []string{"gains_callsite +ftrace", "is_gone -ftrace gone", "is_new +ftrace", "loses_callsite -ftrace"}
		if !slices.Equal(got, want) {
			t.Errorf("functions %q, want %q", got, want)
		}
		for _, f := range d.Functions {
			if f.Name == "loses_callsite" && f.Lost[0].Why.Why != tracing.Notrace {
				t.Errorf("%s: %v", f.Name, f.Lost[0].Why)
			}
		}
		if len(d.Code) != 1 || d.Code[0].Name != "arch_ftrace_trampoline_free" {
			t.Fatalf("code %+v", d.Code)
		}
		var differ []string
		for _, r := range d.Code[0].Rows {
			if r.Differs {
				differ = append(differ, r.Old.Text+" / "+r.New.Text)
			}
		}
		if want := []string{"mov w0, #0x0 / mov w0, #0x1"}; !slices.Equal(differ, want) {
			t.Errorf("%q, want %q", differ, want)
		}
		if d.Era != nil || len(d.Capabilities)+len(d.Margins)+len(d.Rules) > 0 {
			t.Errorf("%+v", d)
		}
	})
	// The other way round the names are the same, and what came is lost.
	compare(t, "changes-new.elf", "changes-old.elf", func(d *Diff) {
		if len(d.Functions) != 4 || len(d.Functions[0].Lost) != 1 {
			t.Errorf("%+v", d.Functions)
		}
	})
}

// TestEras compares kernels of two eras.
func TestEras(t *testing.T) {
	compare(t, "callops-good.elf", "regs-good.elf", func(d *Diff) {
		if d.Era == nil || *d.Era != (Pair{"callops", "regs"}) {
			t.Errorf("era %v", d.Era)
		}
		if len(d.Capabilities) != 1 || d.Capabilities[0].Old.ID != "ops" || !d.Lost() {
			t.Errorf("capabilities %+v", d.Capabilities)
		}
	})
	compare(t, "regs-good.elf", "callops-good.elf", func(d *Diff) {
		if len(d.Capabilities) != 1 || d.Capabilities[0].Old.Has {
			t.Errorf("capabilities %+v", d.Capabilities)
		}
	})
}

// TestRules compares a kernel with one that has findings.
func TestRules(t *testing.T) {
	compare(t, "regs-good.elf", "site-in-noinstr.elf", func(d *Diff) {
		var came []string
		for _, r := range d.Rules {
			if r.ID == "FT405" {
				came = r.Came
			}
		}
		if len(came) == 0 || !strings.Contains(came[0], "must not be instrumented") {
			t.Errorf("%+v", d.Rules)
		}
	})
}

// TestAlign lays pieces of code side by side.
func TestAlign(t *testing.T) {
	// A branch that goes to another instruction differs, one over an instruction that
	// is new does not.
	code := func(at uint64, keys ...string) (list []Line) {
		for i, key := range keys {
			l := Line{Addr: at + 4*uint64(i), key: key}
			if key, to, ok := strings.Cut(key, " to "); ok {
				l.key = key
				for k := range keys {
					if keys[k] == to {
						l.target = at + 4*uint64(k)
					}
				}
			}
			list = append(list, l)
		}
		return list
	}
	old := code(0x1000, "b to end", "one", "two", "end")
	for _, c := range []struct {
		new  []string
		want string
	}{
		{[]string{"b to end", "one", "two", "end"}, "    "},
		{[]string{"b to end", "one", "more", "two", "end"}, "  x  "},
		{[]string{"b to two", "one", "two", "end"}, "x   "},
		{[]string{"b to end", "one", "end"}, "  x "},
	} {
		got := ""
		for _, r := range align(old, code(0x2000, c.new...)) {
			got += map[bool]string{true: "x", false: " "}[r.Differs]
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.new, got, c.want)
		}
	}
}

// TestCount counts functions of one name, of which the compiler makes several.
func TestCount(t *testing.T) {
	of := func(names ...string) (list []*tracing.Function) {
		for _, name := range names {
			list = append(list, &tracing.Function{Name: name, Ftrace: tracing.Answer{Why: tracing.Can}})
		}
		return list
	}
	for _, c := range []struct {
		names      []string
		n, sources int
	}{
		{nil, 0, 0},
		{[]string{"f"}, 1, 1},
		{[]string{"f", "f.constprop.0"}, 2, 1},
		{[]string{"f.constprop.0", "f.constprop.1"}, 2, 1},
		{[]string{"f", "f"}, 2, 2},
	} {
		if n, sources := count(of(c.names...), tracing.Ftrace, tracing.Answer.OK); n != c.n || sources != c.sources {
			t.Errorf("%q: %d of %d sources, want %d of %d", c.names, n, sources, c.n, c.sources)
		}
	}
}

// TestUnknown holds that nothing is lost, and nothing has come, where one of the kernels
// does not say whether a use is possible.
func TestUnknown(t *testing.T) {
	kernel := func(why ...tracing.Reason) *tracing.Kernel {
		k := &tracing.Kernel{Capabilities: []finding.Capability{{ID: tracing.Fentry.Capability(), Has: true}}}
		for _, r := range why {
			k.Functions = append(k.Functions, tracing.Function{Name: "f", Fentry: tracing.Answer{Why: r}, Fexit: tracing.Answer{Why: tracing.Notrace}})
		}
		return k
	}
	const yes, no, unknown = tracing.Can, tracing.Notrace, tracing.Unknown
	for _, c := range []struct {
		old, new            []tracing.Reason
		lost, came, unknown int
		inNew               bool
	}{
		{old: []tracing.Reason{yes}, new: []tracing.Reason{no}, lost: 1},
		{old: []tracing.Reason{no}, new: []tracing.Reason{yes}, came: 1},
		{old: []tracing.Reason{yes}, new: []tracing.Reason{unknown}, unknown: 1, inNew: true},
		{old: []tracing.Reason{no}, new: []tracing.Reason{unknown}, unknown: 1, inNew: true},
		{old: []tracing.Reason{unknown}, new: []tracing.Reason{yes}, unknown: 1},
		{old: []tracing.Reason{unknown}, new: []tracing.Reason{no}, unknown: 1},
		{old: []tracing.Reason{unknown}, new: []tracing.Reason{unknown}},
		{old: []tracing.Reason{yes, yes}, new: []tracing.Reason{unknown, no}, lost: 1},
		{old: []tracing.Reason{unknown}, new: nil},
		{old: nil, new: []tracing.Reason{unknown}},
	} {
		var f Function
		list := functions(kernel(c.old...), kernel(c.new...))
		if len(list) > 0 {
			f = list[0]
		}
		d := Diff{Functions: list}
		if len(f.Lost) != c.lost || len(f.Came) != c.came || len(f.Unknown) != c.unknown || d.Lost() != (c.lost > 0) {
			t.Errorf("%v, %v: lost %v, came %v, not known %v", c.old, c.new, f.Lost, f.Came, f.Unknown)
		}
		for _, u := range f.Unknown {
			if u.New != c.inNew || u.Why.Why != unknown || u.N != 1 {
				t.Errorf("%v, %v: %+v", c.old, c.new, u)
			}
		}
	}
}
