package bpf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/parallel"
	"github.com/ftlint/ftlint/world"
)

// Results are the results of executing the generator, and what it generates.
type Results struct {
	None   error // a *world.Lack: nothing could be executed
	Err    error // not nil: the image has a generator, which could not be executed
	Kernel *Kernel

	Builds, Runs int // how many trampolines were built, and how often they were executed
	Refused      int // cases that the generator does not support
	Failed       []Failed
	Roomy        []Roomy // cases for which far too much memory is computed
	Stuck        []error // cases without a verdict, each with the reason
	Pokes        []Poke  // bpf_arch_text_poke(), executed
	Compiled     []Compiled
	Jitted       []Jitted // programs that were compiled and executed
	StuckJIT     []error  // such programs without a verdict

	// Of an exhaustive run:
	Prototypes  int         // of the functions with a callsite
	Unsupported []Traceable // those to which no program can be attached
}

// Failed is a case with differences from the model.
type Failed struct {
	Case  Case
	While string // what happens while it runs: "fentry program 1 skipped"; "" for nothing special
	Diffs []Diff
}

// Roomy is a case with everything out of reach, in which each part of a trampoline is as
// long as it can be, and the size of the trampoline in bytes.
type Roomy struct {
	Case              Case
	Computed, Emitted int32
}

// roomy is how many times as many bytes as are emitted are far too many. Kernels compute
// exactly what they emit where everything is out of reach.
const roomy = 2

// maxFailed bounds the number of cases that are kept.
const maxFailed = 64

// Run executes the image's generator, in all cases if all is true. It ends early with
// the error that stopped returns.
func Run(table *callsite.Table, types *callsite.Types, guarded, all bool, stopped func() error) (*Results, error) {
	k, err := Open(table, types, guarded)
	if err != nil {
		var lack *world.Lack
		if errors.As(err, &lack) {
			return &Results{None: err}, nil
		}
		return &Results{Err: err}, nil
	}
	res := &Results{Kernel: k}
	cases := k.cases(all)
	b := newBench(k)
	res.Jitted, res.StuckJIT = b.jits(all)
	if k.Poke != 0 {
		res.patches(b, cases, all, stopped)
	}
	if !all {
		for i := range cases {
			if stopped() != nil {
				break
			}
			res.add(b.try(&cases[i], all))
		}
		return res, stopped()
	}
	list, err := k.Traceables()
	if err != nil {
		res.Stuck = append(res.Stuck, err)
	}
	const workers = 8
	parts := make([]Results, workers)
	parallel.Do(workers, runtime.GOMAXPROCS(0), func(n int) {
		b, part := newBench(k), &parts[n]
		for i := n; i < len(cases) && stopped() == nil; i += workers {
			part.add(b.try(&cases[i], all))
		}
		for i := n; i < len(list) && stopped() == nil; i += workers {
			part.prototype(b, &list[i])
		}
	})
	for i := range parts {
		res.add(parts[i])
	}
	slices.SortFunc(res.Unsupported, func(a, b Traceable) int { return cmp.Compare(a.Funcs[0], b.Funcs[0]) })
	return res, stopped()
}

// patches executes what patches code of BPF, and what was patched.
func (res *Results) patches(b *bench, cases []Case, all bool, stopped func() error) {
	pokes, err := b.pokes()
	if res.Pokes = pokes; err != nil {
		res.Stuck = append(res.Stuck, fmt.Errorf("bpf_arch_text_poke: %w", err))
	}
	for i := range cases {
		if stopped() != nil {
			return
		}
		if c := &cases[i]; c.detachable() && (all || len(c.Progs) < 7) {
			if one := b.try(c, false); len(one.Failed)+len(one.Stuck) > 0 {
				continue // that is found without a patch
			}
			res.add(b.detaches(c))
			if b.copies {
				p, err := b.packs(c)
				if res.Pokes = append(res.Pokes, p); err != nil {
					res.Stuck = append(res.Stuck, fmt.Errorf("%s: %w", p.What, err))
				}
			}
			if !all {
				break
			}
		}
	}
	res.Compiled, err = b.compiles(all)
	if err != nil {
		res.Stuck = append(res.Stuck, fmt.Errorf("bpf_int_jit_compile: %w", err))
	}
}

// prototype tries a trampoline for functions of a prototype that the image has.
func (res *Results) prototype(b *bench, t *Traceable) {
	res.Prototypes++
	if t.Why == "" {
		c := Case{Name: "as " + t.Funcs[0], Proto: t.Proto, From: b.from(), Progs: []Prog{{Kind: Fentry, Cookie: 1}, {Kind: ModifyReturn}, {Kind: Fexit}}}
		c.Flags = c.usualFlags()
		one := b.try(&c, false)
		res.add(one)
		if one.Refused == 0 {
			return
		}
		t.Why = "the generator does not support such arguments"
	}
	res.Unsupported = append(res.Unsupported, *t)
}

// from is where functions are traced, in this kernel.
func (k *Kernel) from() Origin {
	if k.HasSite {
		return Site
	}
	return Program
}

// detachable reports whether all that can be taken off a trampoline is on that of
// the case.
func (c *Case) detachable() bool {
	return len(c.list(Fentry)) > 0 && len(c.list(ModifyReturn)) > 0 && len(c.list(Fexit)) > 0 && c.Place == Near && c.From != Indirect && c.Fail.Func == ""
}

// add adds the results of one case, or of several.
func (res *Results) add(one Results) {
	res.Builds += one.Builds
	res.Runs += one.Runs
	res.Refused += one.Refused
	res.Prototypes += one.Prototypes
	res.Unsupported = append(res.Unsupported, one.Unsupported...)
	res.Failed = append(res.Failed, one.Failed...)
	res.Roomy = append(res.Roomy, one.Roomy...)
	res.Stuck = append(res.Stuck, one.Stuck...)
	res.Failed = res.Failed[:min(len(res.Failed), maxFailed)]
}

// try builds the trampoline of a case, executes it in all scenarios, and judges
// both.
func (b *bench) try(c *Case, all bool) (one Results) {
	t := b.build(c, false)
	one.Builds = 1
	diffs, stuck := b.judge(c, t)
	switch {
	case stuck != nil:
		one.Stuck = []error{fmt.Errorf("%v: %w", c, stuck)}
		return one
	case len(diffs) > 0:
		one.Failed = []Failed{{*c, "", diffs}}
		return one
	case t.refused || t.Ret <= 0:
		one.Refused = 1
		return one
	}
	if b.Size != 0 && c.Place == TaggedImage && t.Size >= roomy*t.Ret {
		one.Roomy = []Roomy{{*c, t.Size, t.Ret}}
	}
	for _, s := range c.scenarios(all) {
		one.Runs++
		diffs, err := b.execute(c, t, &s, nil)
		if err != nil {
			one.Stuck = append(one.Stuck, fmt.Errorf("%v: %w", c, err))
			return one
		}
		if len(diffs) > 0 {
			one.Failed = append(one.Failed, Failed{*c, c.while(&s), b.explain(c, &s, diffs)})
			return one
		}
	}
	return one
}

// explain executes a case again, and finds which instructions are to blame for its
// differences.
func (b *bench) explain(c *Case, s *Scenario, diffs []Diff) []Diff {
	t := b.build(c, true)
	if again, err := b.execute(c, t, s, func(*runner, uint64, [31]uint64) {}); err == nil && len(again) == len(diffs) {
		return again
	}
	return diffs
}

// while is what a scenario says, in words.
func (c *Case) while(s *Scenario) string {
	r := runner{c: c}
	var text string
	for i := range c.Progs {
		what := ""
		switch {
		case s.Skip[i]:
			what = r.progName(i) + " skipped"
		case s.Ret[i] != 0 && c.Progs[i].Kind == ModifyReturn:
			what = fmt.Sprintf("%s returning %d", r.progName(i), int64(s.Ret[i]))
			if int64(s.Ret[i]) > 0 { // not an error
				what = fmt.Sprintf("%s returning %#x", r.progName(i), s.Ret[i])
			}
		case s.Detached[i]:
			what = r.progName(i) + " detached"
		}
		if what != "" && text != "" {
			text += ", "
		}
		text += what
	}
	return text
}

// judge judges what the generator did. stuck says why there is no verdict.
func (b *bench) judge(c *Case, t *Built) (diffs []Diff, stuck error) {
	diffAt := func(kind DiffKind, pc uint64, format string, args ...any) {
		diffs = append(diffs, Diff{Kind: kind, Text: fmt.Sprintf(format, args...), Emitter: Emitter{PC: pc}})
	}
	diff := func(kind DiffKind, format string, args ...any) { diffAt(kind, 0, format, args...) }
	if t.Err != nil || len(b.w.Faults) > 0 {
		return b.judgeFault(c, t)
	}
	for _, bad := range b.bad {
		diff(Failing, "%s", bad)
	}
	for _, x := range b.leaks() {
		diff(Failing, "does not free the %#x bytes that it got from %s", x.size, x.by)
	}
	b.judgeWrites(t, diffAt)
	switch {
	case c.Fail.Func != "" && b.fell < c.Fail.N:
		return nil, fmt.Errorf("%s, which was to fail, is not called", c.Fail.Func)
	case c.Fail.Func != "" && t.Ret >= 0:
		diff(Failing, "returns %d although %s failed", t.Ret, c.Fail.Func)
	case c.Short > 0 && t.Ret >= 0:
		diff(Failing, "returns %d with a buffer of %d bytes", t.Ret, t.Size)
	case c.Fail.Func != "", c.Short > 0:
	case t.refused && (c.Proto.plain() || c.Proto.inRegisters() && b.takesStructs()):
		diff(Failing, "returns %d (-ENOTSUPP) for a function whose arguments are all in registers", t.Ret)
	case t.refused:
	case t.Ret < 0:
		diff(Failing, "returns %d", t.Ret)
	case t.Ret == 0 || t.Ret%a64.Size != 0:
		diff(Size, "returns %d, which is not the size of instructions", t.Ret)
	case t.Ret > t.Size:
		diff(Size, "emits %d bytes, and has computed %d", t.Ret, t.Size)
	case len(t.Code) > 0 && slices.ContainsFunc(words(t.Code[t.Ret:]), isCode): // it has none if its size could not be computed
		diff(Size, "returns %d, and has emitted more", t.Ret)
	}
	return diffs, nil
}

// judgeFault judges a generator that did what no function may, or that did not come
// to its end.
func (b *bench) judgeFault(c *Case, t *Built) (diffs []Diff, stuck error) {
	if t.Err != nil {
		var stop *emu.Stop
		if !errors.As(t.Err, &stop) {
			return nil, t.Err
		}
		proof := b.w.Astray(t.Err)
		if proof == "" {
			return nil, t.Err
		}
		kind := Failing
		if stop.Access == emu.Write && (stop.Reason == emu.Unmapped || stop.Reason == emu.Permission) {
			kind = Outside
			for _, x := range b.heap {
				if stop.Addr-(x.addr+x.size) < 64 {
					kind = Size
					proof = fmt.Sprintf("emits more than the %d bytes that it has computed: %v", t.Size, t.Err)
				}
			}
		}
		pc := stop.PC
		if kind == Size {
			pc = 0 // where it begins to be too much is not where the size is wrong
		}
		return []Diff{{Kind: kind, Text: proof, Emitter: Emitter{PC: pc}}}, nil
	}
	for _, f := range b.w.Faults {
		diffs = append(diffs, Diff{Kind: Failing, Text: f.What, Emitter: Emitter{PC: f.PC}})
	}
	return diffs, nil
}

// judgeWrites judges what the generator wrote to memory for code: whether it lies in
// the buffer that it was given, and whether it is visible to instruction fetch.
func (b *bench) judgeWrites(t *Built, diff func(kind DiffKind, pc uint64, format string, args ...any)) {
	end := t.Addr + uint64(t.Size)
	var dirty uint64 // the last store that is not visible
	var outside, failed bool
	for i := range t.Events {
		e := &t.Events[i]
		switch e.Kind {
		case world.Store, world.Copy, world.Patch, world.PatchLiteral:
			if e.Err {
				failed = true
				continue
			}
			if (e.Addr < t.Addr || e.Addr+e.Size > end) && !outside {
				outside = true
				diff(Outside, e.PC, "writes %d bytes at %+d of a buffer of %d bytes", e.Size, int64(e.Addr-t.Addr), t.Size)
			}
			if dirty = e.PC; e.ByInterface() { // that maintains the caches
				dirty = 0
			}
		case world.ICache:
			if e.Addr <= t.Addr && e.Addr+e.Size >= t.Addr+uint64(max(t.Ret, 0)) {
				dirty = 0
			}
		case world.Trap:
			diff(Failing, e.PC, "warns (brk #%#x at %s)", e.Value, b.Image.At(e.PC))
		}
	}
	if dirty != 0 && t.Ret > 0 && !failed {
		diff(ICache, dirty, "does not maintain the instruction cache for the %d bytes that it has written", t.Ret)
	}
	if t.Ret < 0 && slices.ContainsFunc(words(t.Code), isCode) {
		diff(Failing, 0, "returns %d and leaves instructions in the buffer", t.Ret)
	}
}

// words are the instructions of code.
func words(code []byte) (out []uint32) {
	for i := 0; i+a64.Size <= len(code); i += a64.Size {
		out = append(out, binary.LittleEndian.Uint32(code[i:]))
	}
	return out
}

// isCode reports whether a word of a buffer is an instruction, not what fills it or traps.
func isCode(w uint32) bool { return w != 1 && a64.Classify(w) != a64.Break }
