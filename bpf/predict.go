package bpf

import (
	"fmt"

	"github.com/ftlint/ftlint/callsite"
)

// IPArg is the flag of a Case whose programs ask for the address of the traced function.
const IPArg = flagIPArg

// Usual is the case with the flags that the kernel sets for such programs, too.
func (c Case) Usual() *Case {
	c.Flags |= c.usualFlags()
	return &c
}

// Trampoline builds the trampoline of a case for a function whose callsite is s, as this
// kernel does, and executes it in all scenarios. An error says what is wrong with it, or
// why it could not be built.
func (k *Kernel) Trampoline(c *Case, s callsite.Site) (*Built, error) {
	own := *k
	own.site = s
	b := newBench(&own)
	t := b.build(c, false)
	diffs, stuck := b.judge(c, t)
	switch {
	case stuck != nil:
		return nil, stuck
	case len(diffs) > 0:
		return nil, fmt.Errorf("it %s", diffs[0].Text)
	case t.refused || t.Ret <= 0:
		return nil, fmt.Errorf("the generator returns %d", t.Ret)
	}
	for _, s := range c.scenarios(true) {
		diffs, err := b.execute(c, t, &s, nil)
		if err != nil {
			return nil, err
		}
		if len(diffs) > 0 {
			return nil, fmt.Errorf("with %s: %s", c.while(&s), diffs[0].Text)
		}
	}
	t.Code = t.Code[:t.Ret]
	return t, nil
}

// A Ran is a program that runs, and what it sees.
type Ran struct {
	Prog   int    // its index
	Ret    uint64 // what the function is to be seen to return
	HasRet bool   // that has a meaning
}

// Runs are the programs that run in a scenario, in order, and what the caller of the
// traced function gets.
func (c *Case) Runs(s *Scenario) (progs []Ran, ret uint64) {
	for _, st := range c.steps(s) {
		switch st.kind {
		case progRun:
			progs = append(progs, Ran{st.prog, st.ret, st.hasRet})
		case back:
			ret = st.ret
		}
	}
	return progs, ret
}
