package hook

import (
	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
)

// A stubHook is a function that does nothing but return.
type stubHook struct {
	name  string
	whose owner // it does nothing only where it is theirs
	args  func(x *executor) []uint64
	want  result
}

// A result is what a stub returns.
type result uint8

const (
	nothing result = iota
	zeroInt        // 0, an int
	null           // a pointer that is NULL
	first          // its first argument
)

func theOps(x *executor) []uint64 { return []uint64{x.ops} }
func opsRec(x *executor) []uint64 { return []uint64{x.ops, x.rec} }
func noArgs(*executor) []uint64   { return nil }

// callbackArgs are the arguments of a callback, or of the graph tracer's.
func callbackArgs(x *executor) []uint64 { return []uint64{x.ops, x.rec, x.ops, x.rec} }

var stubs = []stubHook{
	{"arch_ftrace_update_trampoline", theCore, theOps, nothing},
	{"arch_ftrace_trampoline_free", theCore, theOps, nothing},
	{"arch_ftrace_trampoline_func", theCore, opsRec, null},
	{"arch_ftrace_match_adjust", theCore, opsRec, first},
	{"ftrace_dyn_arch_init", anybody, noArgs, zeroInt},
	{"ftrace_stub", anybody, callbackArgs, nothing},
	{"ftrace_stub_graph", anybody, callbackArgs, nothing},
}

// stub executes a hook that does nothing but return.
func (x *executor) stub(s stubHook) {
	x.in("", func() {
		args := s.args(x)
		ret, ok := x.call(args...)
		if !ok {
			return
		}
		x.wroteNothing()
		switch {
		case s.want == zeroInt && int32(ret) != 0:
			x.diff("returns %d, 0 was expected", int32(ret))
		case s.want == null && ret != 0:
			x.diff("returns %#x, NULL was expected", ret)
		case s.want == first && ret != args[0]:
			x.diff("returns %#x, its first argument, %#x, was expected", ret, args[0])
		}
	})
}

// bracket executes a hook that the core calls before it changes callsites, or
// after, unless the architecture has one of its own. Up to 5.18 it returns 0, since
// then nothing. Which of them holds, the counterpart says.
func (x *executor) bracket(counterpart string) {
	x.in("", func() {
		// KCOV has each function call this first, which leaves something in x0.
		x.w.Hook(func(string) error { return nil }, "__sanitizer_cov_trace_pc")
		ret, ok := x.callInt()
		if !ok {
			return
		}
		x.wroteNothing()
		if ret == 0 {
			return
		}
		other, ok := x.im.Addr(counterpart)
		if !ok {
			return
		}
		x.w.Enter()
		untouched := int32(x.w.Result())
		if v, ok := x.aside(other); ret != untouched || ok && int32(v) == 0 {
			x.diff("returns %#x, 0 was expected", ret)
		}
	})
}

// symbolOf executes arch_ftrace_get_symaddr(), which turns the address of a
// callsite's BL into that of its function.
func (x *executor) symbolOf(sites []callsite.Site) {
	for _, s := range sites {
		want := s.Func
		if x.era.Shape.Literal == 0 {
			want = s.Call - a64.Size // the callsite's first instruction
		}
		x.in("callsite "+x.im.At(s.Entry), func() {
			ret, ok := x.call(s.Call)
			if ok && ret != want {
				x.diff("returns %s for the callsite of %s", x.im.At(ret), x.im.At(want))
			}
			x.wroteNothing()
		})
	}
}
