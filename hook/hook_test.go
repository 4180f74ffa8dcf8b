package hook_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/hook"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/samples"
)

// run executes the hooks of an image.
func run(t *testing.T, im *elfscan.Image, types *callsite.Types) []hook.Hook {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	sites := slices.DeleteFunc(table.Sites(), func(s callsite.Site) bool { return !s.OK || !s.AtFunc })
	bti := slices.IndexFunc(sites, func(s callsite.Site) bool { return s.BTI })
	plain := slices.IndexFunc(sites, func(s callsite.Site) bool { return !s.BTI })
	var both []callsite.Site
	for _, i := range []int{plain, bti} {
		if i >= 0 {
			both = append(both, sites[i])
		}
	}
	return hook.Run(table, both, types)
}

func sample(t *testing.T, name string) *elfscan.Image {
	t.Helper()
	im, err := elfscan.Open(samples.Dir+"/builders/"+name+".elf", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

// Real kernels keep every contract, with each hook executed, and those that a
// kernel of the era has are there.
func TestRealKernels(t *testing.T) {
	images.Each(t, func(t *testing.T, im *elfscan.Image) {
		if _, real := im.Addr("vfs_fsync_range"); !real {
			t.Skip("a sample: see TestSamples in package checks")
		}
		hooks := run(t, im, callsite.ReadTypes(im, false))
		for _, h := range hooks {
			if h.Err != nil || h.Lack != nil || len(h.Failed) > 0 || h.Situations == 0 {
				t.Errorf("%s: executed %d times, %v %v %v", h.Func, h.Situations, h.Failed, h.Lack, h.Err)
			}
		}
		for _, name := range []string{"ftrace_update_ftrace_func", "arch_ftrace_update_code", "ftrace_enable_ftrace_graph_caller",
			"ftrace_disable_ftrace_graph_caller", "arch_ftrace_update_trampoline", "arch_ftrace_trampoline_free", "arch_ftrace_trampoline_func",
			"arch_ftrace_match_adjust", "ftrace_dyn_arch_init", "ftrace_arch_code_modify_prepare", "ftrace_arch_code_modify_post_process", "ftrace_stub"} {
			if !slices.ContainsFunc(hooks, func(h hook.Hook) bool { return h.Func == name }) {
				t.Errorf("%s is not executed", name)
			}
		}
		graph := func(h hook.Hook) bool { return h.Func == "ftrace_graph_func" || h.Func == "prepare_ftrace_return" }
		if i := slices.IndexFunc(hooks, graph); i < 0 || slices.ContainsFunc(hooks[i+1:], graph) {
			t.Error("one hook of the graph tracer was expected")
		}
	})
}

// The hooks of a good sample, and what each does wrong when one of its
// instructions is another.
func TestBroken(t *testing.T) {
	known := &callsite.Types{GraphPause: 512, HasGraphPause: true, Retp: true, HasRetp: true}
	unknown := &callsite.Types{}
	const (
		warn = 0xd4210000 // brk #0x800, without a bug table
		br   = 0xd61f03c0 // br x30
	)
	for _, c := range []struct {
		sample, fn string
		old        string // the instruction, as objdump shows it, "" for the first
		insn       uint32
		types      *callsite.Types
		want       string // of the first situation: what it is, and what is wrong; "" if nothing is
	}{
		{"hooks-graph-good", "ftrace_stub", "ret", a64.NOP, unknown, ": runs past its end, into "},
		{"hooks-graph-good", "ftrace_stub", "ret", 0x14000000, unknown, ": does not come to an end"},
		{"hooks-graph-good", "arch_ftrace_update_code", "", warn, unknown, ": warns (brk #0x800 at arch_ftrace_update_code"},
		{"sites-callops-good", "ftrace_update_ftrace_func", "ret", br, unknown, ""},
		{"sites-callops-good-bti", "ftrace_update_ftrace_func", "ret", br, unknown, ": returns by a BR, in a kernel with BTI"},
		{"hooks-func-good", "arch_ftrace_get_symaddr", "sub", 0xd1002000, unknown, "callsite vfs_read (0x"}, // #8
		{"hooks-func-good", "ftrace_enable_ftrace_graph_caller", "mov w0, #0", 0x52800020, unknown, ": returns 1, 0 was expected"},
		{"hooks-func-good", "ftrace_graph_func", "str x0, [x19, #88]", 0xb9005a60, known, ": leaves 0x"},                                         // str w0
		{"hooks-func-good", "ftrace_graph_func", "str x0, [x19, #88]", 0xf9003260, known, ": writes to the traced function's registers (+0x60)"}, // #96
		{"hooks-func-good", "ftrace_graph_func", "ldr w2, [x1, #512]", 0xb9420422, known, ": calls function_graph_enter 0 times, once was expected"},
		{"hooks-func-good", "ftrace_graph_func", "ldr w2, [x1, #512]", 0xb9420422, unknown, ": looks at the task's member at +0x204 for tracing_graph_pause, and prepare_ftrace_return at that at +0x200"},
		{"hooks-kcov-good-5.18", "ftrace_arch_code_modify_prepare", "mov w0, #0", 0x52800020, unknown, ": returns 0x1, 0 was expected"},
	} {
		im := sample(t, c.sample)
		s, ok := im.Lookup(c.fn)
		if !ok {
			t.Fatalf("%s has no %s", c.sample, c.fn)
		}
		for _, h := range run(t, im, c.types) {
			if h.Err != nil || h.Lack != nil || len(h.Failed) > 0 {
				t.Errorf("%s: %s, as it is: %v %v %v", c.sample, h.Func, h.Failed, h.Lack, h.Err)
			}
		}
		at := s.Addr
		for ; c.old != "" && at < s.End(); at += a64.Size {
			if w, _ := im.Word(at); strings.HasPrefix(a64.Text(w, at, im.Name), c.old) {
				break
			}
		}
		if at == s.End() {
			t.Fatalf("%s: %s has no %s", c.sample, c.fn, c.old)
		}
		if err := im.SetWord(at, c.insn); err != nil {
			t.Fatal(err)
		}
		hooks := run(t, im, c.types)
		i := slices.IndexFunc(hooks, func(h hook.Hook) bool { return h.Func == c.fn })
		if h := hooks[i]; c.want == "" && h.Err == nil && len(h.Failed) == 0 {
			continue
		} else if len(h.Failed) == 0 || !strings.HasPrefix(h.Failed[0].Text+": "+strings.Join(h.Failed[0].Diffs, "; "), c.want) {
			t.Errorf("%s with another %q: %v %v, want %q", c.fn, c.old, h.Failed, h.Err, c.want)
		}
	}
}

// A hook may take a lock against recursion, by a bit of the task: trace_recursion is
// zero but where the lock is said to be taken.
func TestRecursionLock(t *testing.T) {
	im, err := elfscan.Open(samples.Dir+"/graph-hook-guarded.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	types := &callsite.Types{GraphPause: 512, HasGraphPause: true, Recursion: 64, HasRecursion: true}
	failed := func() *hook.Situation {
		for _, h := range run(t, im, types) {
			if h.Func == "ftrace_graph_func" && len(h.Failed) > 0 {
				return &h.Failed[len(h.Failed)-1]
			}
		}
		return nil
	}
	if f := failed(); f != nil {
		t.Errorf("as it is: %v", f)
	}
	// Where the lock is taken, the branch to the end goes to the store of LR.
	s, _ := im.Lookup("ftrace_graph_func")
	for a := s.Addr; a < s.End(); a += a64.Size {
		if w, _ := im.Word(a); a64.Classify(w) == a64.TBZ {
			if err := im.SetWord(a, w-3<<5); err != nil {
				t.Fatal(err)
			}
		}
	}
	if f := failed(); f == nil || f.Text != "trace_recursion of the task is all ones" {
		t.Errorf("a hook that goes on where the lock is taken: %v", f)
	}
}

// What cannot be executed is named, and is not judged.
func TestLack(t *testing.T) {
	im, err := elfscan.Open(samples.Dir+"/regs-5.10-good.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	for _, h := range run(t, im, &callsite.Types{}) {
		lacks := h.Func == "prepare_ftrace_return"
		if lacks != (h.Lack != nil) || lacks && h.Lack.Error() != "the image has no function_graph_enter" || len(h.Failed) > 0 || h.Err != nil {
			t.Errorf("%s: %v %v %v", h.Func, h.Lack, h.Failed, h.Err)
		}
	}
}

// Of the mutants of the hooks of real kernels for x86-64, which lack one instruction,
// most are noticed. Those that survive are logged: they are about values that stand there
// anyway, about a stack that is not the kernel's (before resume), about a second call
// in a context, which a hook may refuse, about messages, and about the stack protector.
func TestX86Mutants(t *testing.T) {
	for _, suite := range []string{"bookworm-amd64", "trixie-amd64"} {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			types := callsite.ReadTypes(im, false)
			all, noticed := 0, 0
			for _, name := range []string{"ftrace_update_ftrace_func", "arch_ftrace_update_code", "prepare_ftrace_return", "ftrace_graph_func",
				"ftrace_arch_code_modify_prepare", "ftrace_arch_code_modify_post_process", "ftrace_enable_ftrace_graph_caller",
				"arch_ftrace_trampoline_func", "addr_from_call"} {
				s, ok := im.Lookup(name)
				if !ok {
					t.Errorf("no %s", name)
				}
				for a := s.Addr; ok && a < s.End(); {
					in, known := im.Insn(a)
					if !known {
						break
					}
					if text, _ := im.Text(a); in.Flow != arch.DoesNought && in.Flow != arch.Traps && text != "endbr64" {
						code := append([]byte(nil), im.Code(a, int(in.Size))...)
						images.Poke(t, im, a, bytes.Repeat([]byte{0x90}, len(code)))
						hooks := run(t, im, types)
						images.Poke(t, im, a, code)
						all++
						if slices.ContainsFunc(hooks, func(h hook.Hook) bool { return h.Err != nil || len(h.Failed) > 0 }) {
							noticed++
						} else {
							t.Logf("survives: without `%s` at %s", text, im.At(a))
						}
					}
					a += in.Size
				}
			}
			t.Logf("%d of %d mutants are noticed", noticed, all)
			if noticed*100 < all*88 {
				t.Errorf("%d of %d mutants are noticed, at least 88 of 100 were expected", noticed, all)
			}
		})
	}
}
