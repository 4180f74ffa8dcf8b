package bpf

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/world"
)

// run executes an image's generator.
func run(t *testing.T, im *elfscan.Image, all bool) *Results {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	guarded := slices.ContainsFunc(table.Sites(), func(s callsite.Site) bool { return s.BTI })
	res, err := Run(table, callsite.ReadTypes(im, false), guarded, all, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// clean makes sure that all was executed, and that nothing differs from the model.
func clean(t *testing.T, res *Results) {
	t.Helper()
	if res.None != nil || res.Err != nil {
		t.Fatal(res.None, res.Err)
	}
	for _, f := range res.Failed {
		t.Errorf("%s, %q: %s", f.Case.String(), f.While, f.Diffs[0].Text)
	}
	for _, err := range res.Stuck {
		t.Error(err)
	}
	for _, p := range res.Pokes {
		for _, d := range p.Diffs {
			t.Errorf("%s: %s", p.What, d.Text)
		}
	}
	for _, c := range res.Compiled {
		for _, d := range c.Diffs {
			t.Errorf("a program at %#x: %s", c.Addr, d.Text)
		}
	}
	for _, j := range res.Jitted {
		for _, d := range j.Diffs {
			t.Errorf("%s: %s", j.What, d.Text)
		}
	}
	for _, err := range res.StuckJIT {
		t.Error(err)
	}
	if res.Builds < 25 || res.Runs < 90 || len(res.Pokes) < 36 || len(res.Compiled) < 6 {
		t.Errorf("%d trampolines, executed %d times, %d changes, %d programs", res.Builds, res.Runs, len(res.Pokes), len(res.Compiled))
	}
}

// What Debian's generators make is what the model asks for. The literal of a program's
// PLT is misaligned in 6.1 alone.
func TestKernels(t *testing.T) {
	for _, k := range []struct {
		suite string
		site  bool // functions of the kernel can be traced
		torn  bool
		wide  int // the most arguments that it supports
	}{
		{"bookworm", false, true, 8}, {"trixie", true, false, 8}, {"sid", true, false, 12},
	} {
		t.Run(k.suite, func(t *testing.T) {
			res := run(t, images.Kernel(t, k.suite), false)
			clean(t, res)
			if res.Kernel.copies != (k.suite != "bookworm") {
				t.Errorf("copies is %v", res.Kernel.copies)
			}
			if res.Kernel.HasSite != k.site {
				t.Errorf("HasSite is %v", res.Kernel.HasSite)
			}
			torn := slices.ContainsFunc(res.Compiled, func(c Compiled) bool { return c.Torn() })
			whole := slices.ContainsFunc(res.Compiled, func(c Compiled) bool { return !c.Torn() })
			if torn != k.torn || !whole {
				t.Errorf("a literal is misaligned: %v; another is not: %v", torn, whole)
			}
			b := newBench(res.Kernel)
			for n := 1; n <= 12; n++ {
				c := Case{Proto: Proto{slices.Repeat([]Arg{long}, n), 8}, Progs: []Prog{{Kind: Fexit}}, From: res.Kernel.from(), Flags: flagCallOrig | flagSkipFrame}
				if one := b.try(&c, false); one.Refused > 0 != (n > k.wide) || len(one.Failed)+len(one.Stuck) > 0 {
					t.Errorf("%d arguments: refused %d, %v, %v", n, one.Refused, one.Failed, one.Stuck)
				}
			}
		})
	}
}

// Every combination is what the model asks for, and so is a trampoline for each
// prototype that functions of the kernel have. Those that are refused are refused by
// the kernel's rules.
func TestKernelsExhaustive(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: -short, or under the race detector: it takes seconds without it")
	}
	for suite, refused := range map[string]bool{"bookworm": true, "trixie": true, "sid": false} {
		t.Run(suite, func(t *testing.T) {
			res := run(t, images.Kernel(t, suite), true)
			clean(t, res)
			if res.Builds < 4000 || res.Prototypes < 1000 {
				t.Errorf("%d trampolines, %d prototypes", res.Builds, res.Prototypes)
			}
			isRefused := func(u Traceable) bool { return strings.HasPrefix(u.Why, "the generator") }
			if slices.ContainsFunc(res.Unsupported, isRefused) != refused {
				t.Errorf("the generator refuses functions: %v expected", refused)
			}
		})
	}
}

func TestSamples(t *testing.T) {
	for _, name := range []string{"builders/bpf-good.elf", "builders/bpf-good-bti.elf", "builders/bpf-good-in-place.elf", "builders/bpf-no-direct.elf",
		"builders/bpf-small-entry.elf"} {
		t.Run(name, func(t *testing.T) {
			res := run(t, images.Sample(t, name), false)
			clean(t, res)
			for _, c := range res.Compiled {
				if c.Torn() {
					t.Errorf("the literal of a program is at %#x", c.Literal)
				}
			}
		})
	}
}

// A kernel without BPF's code says so.
func TestNone(t *testing.T) {
	none := func(t *testing.T, im *elfscan.Image, want string) {
		res := run(t, im, false)
		var lack *world.Lack
		if !errors.As(res.None, &lack) || !strings.HasPrefix(lack.What, want) || res.Builds > 0 {
			t.Errorf("%v, %v, %d trampolines", res.None, res.Err, res.Builds)
		}
	}
	none(t, images.Sample(t, "callops-good.elf"), "no BPF JIT")
	none(t, images.Sample(t, "builders/bpf-no-btf.elf"), "no BTF")
	none(t, images.Sample(t, "builders/bpf-stub.elf"), "the kernel has no BPF trampolines")
	t.Run("bullseye", func(t *testing.T) {
		none(t, images.Kernel(t, "bullseye"), "the kernel has no BPF trampolines")
	})
}

// A generator that refuses whatever it is asked for, as if a page were too small, does not
// pass.
func TestRefusesAll(t *testing.T) {
	im := images.Sample(t, "builders/bpf-good-in-place.elf")
	k := open(t, im)
	k.Size = 0 // as before 6.8
	fn, _ := im.Lookup(symbol)
	if err := errors.Join(im.SetWord(fn.Addr, 0x12800340), im.SetWord(fn.Addr+4, a64.RET)); err != nil { // mov w0, #-27
		t.Fatal(err)
	}
	b := newBench(k)
	cases := k.cases(false)
	if one := b.try(&cases[1], false); len(one.Failed) != 1 || one.Failed[0].Diffs[0].Text != "returns -27" {
		t.Errorf("%v, %v", one.Failed, one.Stuck)
	}
}

// Where the size is computed, but badly, nothing is generated.
func TestSizeMisbehaves(t *testing.T) {
	im := images.Sample(t, "builders/bpf-good.elf")
	k := open(t, im)
	kvfree, _ := im.Addr("kvfree")
	call, err := a64.EncodeBL(k.Size+8, kvfree)
	for i, w := range []uint32{0xa9bf7bfd, 0xd2800020, call, 0x52801480, 0xa8c17bfd, a64.RET} { // frees 1, and returns 164
		err = errors.Join(err, im.SetWord(k.Size+uint64(i)*a64.Size, w))
	}
	if err != nil {
		t.Fatal(err)
	}
	c := k.cases(false)[0]
	if one := newBench(k).try(&c, false); len(one.Failed) != 1 || one.Failed[0].Diffs[0].Text != "calls kvfree of 0x1, which was not allocated" {
		t.Errorf("%v, %v", one.Failed, one.Stuck)
	}
	if l, err := k.Show(&c); err == nil {
		t.Errorf("a trampoline of %d words is shown", len(l.Parts))
	}
}

// Arguments are where the procedure call standard says (AAPCS64, 6.8.2).
func TestPlaces(t *testing.T) {
	wide := Arg{Size: 16, Wide: true}
	for _, test := range []struct {
		args  []Arg
		want  []where
		stack uint64
	}{
		{nil, nil, 0},
		{[]Arg{num, {Size: 1}}, []where{{0, 0, 4}, {1, 0, 1}}, 0},
		{[]Arg{dozen, num}, []where{{0, 0, 8}, {1, 0, 4}, {2, 0, 4}}, 0},
		// C.10: the register's number is even. C.13: a structure that does not fit is on
		// the stack, and so is all behind it.
		{[]Arg{num, wide}, []where{{0, 0, 4}, {2, 0, 8}, {3, 0, 8}}, 0},
		{[]Arg{long, long, long, long, long, long, long, pair, num}, []where{{0, 0, 8}, {1, 0, 8}, {2, 0, 8}, {3, 0, 8}, {4, 0, 8}, {5, 0, 8}, {6, 0, 8},
			{-1, 0, 8}, {-1, 8, 8}, {-1, 16, 4}}, 24},
		// C.14: on the stack it is aligned to 16 bytes.
		{[]Arg{long, long, long, long, long, long, long, long, num, wide}, []where{
			{0, 0, 8}, {1, 0, 8}, {2, 0, 8}, {3, 0, 8}, {4, 0, 8}, {5, 0, 8}, {6, 0, 8}, {7, 0, 8},
			{-1, 0, 4}, {-1, 16, 8}, {-1, 24, 8}}, 32},
	} {
		got, stack := (Proto{Args: test.args}).places()
		if !slices.Equal(got, test.want) || stack != test.stack {
			t.Errorf("%v: %v and %d bytes of stack, want %v and %d", test.args, got, stack, test.want, test.stack)
		}
	}
}

// The model of a trampoline is the sequence of its calls.
func TestSteps(t *testing.T) {
	names := func(c *Case, s *Scenario) string {
		var out []string
		for _, st := range c.steps(s) {
			name := [...]string{"tramp_enter", "tramp_exit", "enter", "run", "exit", "function", "back"}[st.kind]
			if st.kind >= progEnter && st.kind <= progExit {
				name += string(rune('0' + st.prog))
			}
			if st.hasRet {
				name += "=" + string(rune('0'+st.ret))
			}
			out = append(out, name)
		}
		return strings.Join(out, " ")
	}
	fentry := Case{Progs: []Prog{{Kind: Fentry}}, Flags: flagRestoreRegs}
	mod := Case{Progs: []Prog{{Kind: ModifyReturn}, {Kind: ModifyReturn}, {Kind: Fexit}}, Flags: flagCallOrig | flagSkipFrame}
	session := Case{Progs: []Prog{{Kind: Fentry, Session: 1}, {Kind: Fentry}, {Kind: Fexit, Session: 1}}, Flags: flagCallOrig | flagSkipFrame}
	ops := Case{Progs: []Prog{{Kind: Fentry}}, Flags: flagIndirect | flagRetFentryRet, From: Indirect}
	for _, test := range []struct {
		c    *Case
		s    Scenario
		want string
	}{
		{&fentry, Scenario{FuncRet: 5}, "enter0 run0 exit0 function back=5"},
		{&fentry, Scenario{FuncRet: 5, Skip: map[int]bool{0: true}}, "enter0 exit0 function back=5"},
		{&mod, Scenario{FuncRet: 5}, "tramp_enter enter0 run0=0 exit0 enter1 run1=0 exit1 function enter2 run2=5 exit2 tramp_exit back=5"},
		{&mod, Scenario{FuncRet: 5, Ret: map[int]uint64{0: 7}}, "tramp_enter enter0 run0=0 exit0 enter2 run2=7 exit2 tramp_exit back=7"},
		{&mod, Scenario{FuncRet: 5, GivenUp: true}, "tramp_enter enter0 run0=0 exit0 enter1 run1=0 exit1 function tramp_exit back=5"},
		{&mod, Scenario{FuncRet: 5, Detached: map[int]bool{1: true}}, "tramp_enter enter0 run0=0 exit0 function enter2 run2=5 exit2 tramp_exit back=5"},
		{&ops, Scenario{Ret: map[int]uint64{0: 7}}, "enter0 run0 exit0 back=7"},
		{&session, Scenario{FuncRet: 5}, "tramp_enter enter0 run0=0 exit0 enter1 run1 exit1 function enter2 run2=5 exit2 tramp_exit back=5"},
	} {
		if got := names(test.c, &test.s); got != test.want {
			t.Errorf("%s %+v:\n%s\nwant\n%s", test.c, test.s, got, test.want)
		}
	}
}
