package bpf

// A Scenario says what happens while a trampoline runs.
type Scenario struct {
	Skip     map[int]bool   // programs, by index, whose enter function returns 0: they must not run
	Ret      map[int]uint64 // what programs return; 0 if not here
	FuncRet  uint64         // what the traced function returns
	Detached map[int]bool   // programs that have been taken off the trampoline
	GivenUp  bool           // the trampoline has been given up: what runs on it goes to its end
}

// A stepKind is a kind of call that a trampoline makes.
type stepKind uint8

const (
	trampEnter stepKind = iota // __bpf_tramp_enter(im)
	trampExit                  // __bpf_tramp_exit(im)
	progEnter                  // __bpf_prog_enter*(prog, run_ctx)
	progRun                    // the program(ctx, insns)
	progExit                   // __bpf_prog_exit*(prog, start, run_ctx)
	function                   // the traced function, called or returned to
	back                       // the end: the caller of the traced function
)

// A step is one call, or the end.
type step struct {
	kind stepKind
	prog int // its index
	// ret is what the function is to be seen to return: in the context of a
	// modify-return or a fexit program, and at the end. hasRet reports whether it has
	// a meaning there.
	ret    uint64
	hasRet bool
}

// steps are the calls that a trampoline for the case must make, in order
// (Documentation/bpf, and bpf_trampoline_update() of kernel/bpf/trampoline.c). The
// traced function is not called if a modify-return program returned something.
func (c *Case) steps(s *Scenario) (out []step) {
	ret, hasRet := uint64(0), false
	program := func(i int, before func() (uint64, bool)) (ran bool) {
		if s.Detached[i] {
			return false
		}
		out = append(out, step{kind: progEnter, prog: i})
		if !s.Skip[i] {
			v, has := before()
			out = append(out, step{progRun, i, v, has})
		}
		out = append(out, step{kind: progExit, prog: i})
		return !s.Skip[i]
	}
	// The first half of a session finds 0 where the return value will be. Other fentry
	// programs may not look there.
	first := func(i int) func() (uint64, bool) { return func() (uint64, bool) { return 0, c.Progs[i].Session > 0 } }
	soFar := func() (uint64, bool) { return ret, hasRet }
	calls := c.Flags&flagCallOrig != 0
	if calls {
		out = append(out, step{kind: trampEnter})
	}
	for _, i := range c.list(Fentry) {
		if program(i, first(i)) && c.Flags&flagRetFentryRet != 0 {
			ret, hasRet = s.Ret[i], true
		}
	}
	modified := false
	for _, i := range c.list(ModifyReturn) {
		hasRet = true // the first finds 0
		if program(i, soFar) {
			ret = s.Ret[i]
		}
		if modified = ret != 0; modified {
			break
		}
	}
	if calls && !modified {
		out = append(out, step{kind: function})
		ret, hasRet = s.FuncRet, true
	}
	for _, i := range c.list(Fexit) {
		if !s.GivenUp || modified {
			program(i, soFar)
		}
	}
	if calls {
		out = append(out, step{kind: trampExit})
	}
	if c.From != Indirect && c.Flags&flagSkipFrame == 0 {
		out = append(out, step{kind: function})
		ret, hasRet = s.FuncRet, true
	}
	return append(out, step{back, 0, ret, hasRet})
}
