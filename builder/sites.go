package builder

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// SavedLR is the register in which a callsite saves LR before its BL
// overwrites it: MOV X9, LR ("arm64: implement ftrace with regs").
const SavedLR = 9

// A SiteState is the words of a callsite that ftrace writes.
type SiteState struct {
	First, Second uint32 // the two words of the function
	Literal       uint64 // era callops: the pointer before the function
}

// A Step is one of ftrace's functions, executed on a callsite.
type Step struct {
	Func     string
	Returned int64
	Want     SiteState // by the model
	Got      SiteState
	WantRet  string // "0", "an error", or the value that ftrace_call_adjust() returns
	OK       bool
	Events   []Event
}

// A SiteRun is the life cycle of one callsite, executed.
type SiteRun struct {
	Site  elfscan.Site
	Steps []Step
	Err   error // why it could not be executed to the end: the verdict is inconclusive
}

// Failed is the first step that differs from the model.
func (r *SiteRun) Failed() *Step {
	for i := range r.Steps {
		if !r.Steps[i].OK {
			return &r.Steps[i]
		}
	}
	return nil
}

// SiteFuncs executes the functions that ftrace calls on a callsite. It is not
// for concurrent use.
type SiteFuncs struct {
	w     *World
	era   elfscan.Era
	shape elfscan.Shape

	adjust, initNop, makeCall, modifyCall, makeNop uint64 // 0: the image has no such function
	caller, regsCaller                             uint64 // entry code
	nopOps, listOps, fakeOps                       uint64 // era callops
	rec                                            uint64 // a struct dyn_ftrace
	saved                                          int    // see SavedRegister
}

// Offsets in struct dyn_ftrace, the same in every kernel with ftrace on arm64.
const (
	recIP    = 0
	recFlags = 8
)

// allFlags are all bits of dyn_ftrace.flags that are no reference count, so
// that the callsite counts as one with unique ops.
const allFlags = 0xfff8_0000

// NewSiteFuncs prepares to execute the site functions of the image. why says
// what the image lacks, if it cannot be done.
func NewSiteFuncs(im *elfscan.Image) (f *SiteFuncs, why string) {
	era := im.Era()
	f = &SiteFuncs{w: NewWorld(im), era: era, shape: era.Shape()}
	for _, fn := range []struct {
		name string
		addr *uint64
	}{
		{"ftrace_call_adjust", &f.adjust},
		{"ftrace_init_nop", &f.initNop},
		{"ftrace_make_call", &f.makeCall},
		{"ftrace_modify_call", &f.modifyCall},
		{"ftrace_make_nop", &f.makeNop},
		{"ftrace_caller", &f.caller},
		{"ftrace_regs_caller", &f.regsCaller},
	} {
		if a, ok := im.Addr(fn.name); ok && im.IsText(a) {
			*fn.addr = a
		}
	}
	f.nopOps, _ = im.Addr("ftrace_nop_ops")
	f.listOps, _ = im.Addr("ftrace_list_ops")
	switch {
	case f.shape == elfscan.ShapeUnknown:
		return nil, "no ftrace in this image"
	case f.makeCall == 0 || f.makeNop == 0:
		return nil, "the image has no ftrace_make_call and ftrace_make_nop"
	case f.caller == 0:
		return nil, "the image has no ftrace_caller"
	case f.shape == elfscan.ShapeCallops && (f.nopOps == 0 || f.listOps == 0):
		return nil, "the image has no ftrace_nop_ops and ftrace_list_ops"
	}
	f.w.Hook(func(string) error { f.w.M.X[0] = f.fakeOps; return nil }, "ftrace_find_unique_ops")
	f.saved = SavedLR
	f.reset()
	return f, ""
}

// SavedRegister executes ftrace_init_nop() on the callsite at entry and tells
// which register it has the callsite save LR in; further runs expect that
// one. ok is false if what it writes is no MOV Xn, LR: then SavedLR is
// expected.
func (f *SiteFuncs) SavedRegister(entry uint64) (reg int, ok bool) {
	s := f.w.Image.SiteAs(entry, f.shape)
	if f.initNop == 0 || f.shape == elfscan.ShapeMcount || f.w.M.Write64(f.rec+recIP, s.Call) != nil {
		return SavedLR, false
	}
	if _, err := f.w.Call(f.initNop, 0, f.rec); err == nil {
		rd, rm, mov := a64.IsMOV(f.state(s).First)
		if mov && rm == a64.LR {
			f.saved, ok = rd, true
		}
	}
	f.reset()
	return f.saved, ok
}

// Fork is the same in a world of its own, for use beside f.
func (f *SiteFuncs) Fork() *SiteFuncs {
	g, _ := NewSiteFuncs(f.w.Image)
	g.saved = f.saved
	return g
}

func (f *SiteFuncs) reset() {
	f.w.Reset()
	f.rec = f.w.New(64)
	f.fakeOps = f.w.New(1024)
}

// model is a callsite as the model has it in each state of its life.
func (f *SiteFuncs) model(s elfscan.Site, entry uint64, ops uint64) SiteState {
	m := SiteState{First: a64.EncodeMOV(f.saved, a64.LR), Second: a64.NOP, Literal: ops}
	if entry != 0 {
		m.Second, _ = a64.EncodeBL(s.Call, entry)
	}
	if f.shape == elfscan.ShapeMcount {
		m.First = 0
	}
	if f.shape != elfscan.ShapeCallops {
		m.Literal = 0
	}
	return m
}

// state reads the words of the callsite from the emulator.
func (f *SiteFuncs) state(s elfscan.Site) (st SiteState) {
	st.Second, _ = f.w.M.Read32(s.Call)
	if f.shape != elfscan.ShapeMcount {
		st.First, _ = f.w.M.Read32(s.Call - a64.Size)
	}
	if f.shape == elfscan.ShapeCallops {
		st.Literal, _ = f.w.M.Read64(s.Entry)
	}
	return st
}

// Run executes the life of the callsite at entry: adjust, init-nop,
// make-call, modify-call, make-nop, and a make-call that must refuse because
// the old word is another. It stops at the first step that differs.
func (f *SiteFuncs) Run(entry uint64) SiteRun {
	s := f.w.Image.SiteAs(entry, f.shape)
	r := SiteRun{Site: s}
	w := f.w
	w.Events = w.Events[:0]
	step := func(name string, fn uint64, want SiteState, wantErr bool, args ...uint64) bool {
		mark := len(w.Events)
		ret, err := w.Call(fn, args...)
		if err != nil {
			r.Err = fmt.Errorf("%s: %w", name, err)
			return false
		}
		st := Step{Func: name, Returned: int64(int32(ret)), Want: want, Got: f.state(s), WantRet: "0"}
		st.OK = st.Got == want && (st.Returned == 0) == !wantErr
		if wantErr {
			st.WantRet = "an error"
		}
		if !st.OK {
			st.Events = w.Events[mark:]
		}
		r.Steps = append(r.Steps, st)
		return st.OK
	}
	if f.adjust != 0 {
		ip, err := w.Call(f.adjust, entry)
		if err != nil {
			r.Err = fmt.Errorf("ftrace_call_adjust: %w", err)
			return r
		}
		st := Step{Func: "ftrace_call_adjust", Returned: int64(ip), WantRet: fmt.Sprintf("%#x", s.Call), OK: ip == s.Call}
		r.Steps = append(r.Steps, st)
		if !st.OK {
			return r
		}
	}
	must := func(err error) { // the heap is always mapped, the callsite is text
		if err != nil && r.Err == nil {
			r.Err = err
		}
	}
	must(w.M.Write64(f.rec+recIP, s.Call))
	must(w.M.Write64(f.rec+recFlags, 0))
	_ = f.initNop != 0 && step("ftrace_init_nop", f.initNop, f.model(s, 0, f.nopOps), false, 0, f.rec) ||
		f.initNop == 0 && f.initByMakeNop(s, step)
	if r.Err != nil || r.Failed() != nil {
		return r
	}
	ok := step("ftrace_make_call", f.makeCall, f.model(s, f.caller, f.listOps), false, f.rec, f.caller)
	enabled := f.caller
	if ok && f.modifyCall != 0 {
		to, ops := f.caller, f.listOps
		if f.regsCaller != 0 {
			to = f.regsCaller
		}
		if f.shape == elfscan.ShapeCallops {
			must(w.M.Write64(f.rec+recFlags, allFlags))
			ops = f.fakeOps
		}
		ok = step("ftrace_modify_call", f.modifyCall, f.model(s, to, ops), false, f.rec, f.caller, to)
		enabled = to
	}
	if ok {
		ok = step("ftrace_make_nop", f.makeNop, f.model(s, 0, f.nopOps), false, 0, f.rec, enabled)
	}
	if ok {
		// Each must check the old word before it writes.
		alien := a64.EncodeMOV(0, 0)
		must(w.M.Write32(s.Call, alien))
		want := f.state(s)
		want.Second = alien
		if f.shape == elfscan.ShapeCallops {
			// the literal is written first, and may be
			must(w.M.Write64(f.rec+recFlags, 0))
			want.Literal = f.listOps
		}
		ok = step("ftrace_make_call", f.makeCall, want, true, f.rec, f.caller)
		if ok {
			if f.shape == elfscan.ShapeCallops {
				want.Literal = f.nopOps
			}
			ok = step("ftrace_make_nop", f.makeNop, want, true, 0, f.rec, f.caller)
		}
		must(w.M.Write32(s.Call, a64.NOP))
	}
	return r
}

// initByMakeNop is ftrace_init_nop() where an arch has none: the core then
// calls ftrace_make_nop() with the address of _mcount.
func (f *SiteFuncs) initByMakeNop(s elfscan.Site, step func(string, uint64, SiteState, bool, ...uint64) bool) bool {
	mcount, ok := f.w.Image.Addr("_mcount")
	if !ok {
		return true // callsites stay as they are built
	}
	return step("ftrace_make_nop", f.makeNop, f.model(s, 0, f.nopOps), false, 0, f.rec, mcount)
}

// A Border is the kernel's reachability check at one distance, executed
// through ftrace_make_call().
type Border struct {
	Distance  int64 // from the BL to the target, in bytes
	Reachable bool  // BL can encode it
	Returned  int64
	Got       uint32 // what stands at the callsite afterwards
	// Elsewhere tells that the kernel, the target being out of reach, took
	// the entry code instead, which reaches it by other means.
	Elsewhere bool
	OK        bool
	Err       error
}

// Borders are the distances at which a check of BL's range goes wrong.
var Borders = []int64{-128<<20 - 4, -128 << 20, 0, 128<<20 - 4, 128 << 20}

// Borders executes ftrace_make_call() on the callsite with targets at the
// borders of BL's range.
func (f *SiteFuncs) Borders(entry uint64) []Border {
	s := f.w.Image.SiteAs(entry, f.shape)
	var out []Border
	for _, d := range Borders {
		f.reset()
		target := s.Call + uint64(d)
		b := Border{Distance: d, Reachable: a64.ReachOf(a64.Call).Contains(d)}
		blank := f.model(s, 0, f.nopOps)
		for _, err := range []error{f.write(s, blank), f.w.M.Write64(f.rec+recIP, s.Call)} {
			if err != nil {
				b.Err = err
			}
		}
		ret, err := f.w.Call(f.makeCall, f.rec, target)
		b.Returned, b.Got = int64(int32(ret)), f.state(s).Second
		bl, _ := a64.EncodeBL(s.Call, target)
		own, _ := a64.EncodeBL(s.Call, f.caller)
		switch {
		case err != nil:
			b.Err = err
		case b.Reachable:
			b.OK = ret == 0 && b.Got == bl
		case b.Returned == 0 && b.Got == own:
			b.OK, b.Elsewhere = true, true
		default:
			b.OK = b.Returned != 0 && b.Got == blank.Second
		}
		out = append(out, b)
	}
	f.reset()
	return out
}

// write puts a callsite into a state.
func (f *SiteFuncs) write(s elfscan.Site, st SiteState) error {
	if f.shape != elfscan.ShapeMcount {
		if err := f.w.M.Write32(s.Call-a64.Size, st.First); err != nil {
			return err
		}
	}
	if f.shape == elfscan.ShapeCallops {
		if err := f.w.M.Write64(s.Entry, st.Literal); err != nil {
			return err
		}
	}
	return f.w.M.Write32(s.Call, st.Second)
}

// Steps is the number of instructions executed since the last reset.
func (f *SiteFuncs) Steps() uint64 { return f.w.M.Steps }
