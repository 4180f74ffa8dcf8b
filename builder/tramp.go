package builder

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// A Situation is the world that a builder of trampolines is executed in.
type Situation uint8

const (
	Near          Situation = iota // memory is in reach of everything
	FarAbove                       // memory is beyond +128 MiB of the image
	FarBelow                       // memory is beyond -128 MiB
	EdgeAbove                      // memory is just beyond +128 MiB of the first callsite
	EdgeBelow                      // memory is just beyond -128 MiB of the last callsite
	FarCallback                    // memory is near, the callback is beyond +128 MiB
	EdgeCallback                   // memory is near, the callback is at an edge of BL's range: see Distance
	NoMemory                       // the allocation fails
	BadCopy                        // a copy fails
	BadPerm                        // a change of permissions fails
	BadPatch                       // a read or a patch of an instruction fails
	AlienSlot                      // a word that no builder expects stands in a slot of the template
	Owned                          // the ops has a trampoline that its owner set
	OwnedFreed                     // Owned, then arch_ftrace_trampoline_free()
	Updated                        // Near, then called again with another callback
	GraphSwitched                  // Near, then called again with fgraph switched on, or off
	FarUpdate                      // Near, then called again with a callback beyond +128 MiB
	BadUpdate                      // Updated, but a read or a patch fails
	AlienUpdate                    // Updated, but in a slot stands a word that no builder expects
	Released                       // Near, then arch_ftrace_trampoline_free()
	BadRelease                     // Released, but a change of permissions fails
	Rebuilt                        // Released, then called again
)

var situationNames = [...]string{
	Near: "memory in reach", FarAbove: "memory beyond +128 MiB of the image", FarBelow: "memory beyond -128 MiB of the image",
	EdgeAbove: "memory just beyond +128 MiB of the first callsite", EdgeBelow: "memory just beyond -128 MiB of the last callsite",
	FarCallback: "the callback beyond 128 MiB", EdgeCallback: "the callback at an edge of BL's range", NoMemory: "the allocation failing", BadCopy: "a copy failing",
	BadPerm: "a change of permissions failing", BadPatch: "a read or a patch of an instruction failing",
	AlienSlot: "an unexpected word in a slot of the template", Owned: "a trampoline that the owner of the ops set",
	OwnedFreed: "a trampoline that the owner of the ops set, to be freed", Updated: "another callback",
	GraphSwitched: "fgraph switched", FarUpdate: "another callback, beyond 128 MiB", BadUpdate: "another callback and a read or a patch of an instruction failing",
	AlienUpdate: "another callback and an unexpected word in a slot", Released: "the trampoline released", BadRelease: "the trampoline released and a change of permissions failing", Rebuilt: "a trampoline asked for again",
}

func (s Situation) String() string { return situationNames[s] }

// Aliens are the words that stand in a slot in AlienSlot and AlienUpdate, in
// turn: MOV X0, X0, and B.EQ, which is a branch, and none that belongs there.
var Aliens = []uint32{a64.EncodeMOV(0, 0), 0x5400_0000}

// A TrampRun is the image's builder, executed once.
type TrampRun struct {
	Situation Situation
	Regs      bool   // the ops asks for all registers
	Graph     bool   // fgraph is on
	Fail      int    // Bad*: which of the calls that can fail does, from 1
	FailFunc  string // BadPatch, BadUpdate: of which function
	Slot      string // AlienSlot, AlienUpdate: its label
	Alien     uint32 // likewise: the word, of Aliens

	Ops, Func uint64 // addresses of the ftrace_ops and of its callback
	Was       uint64 // *Update: of the callback before
	Distance  int64  // EdgeCallback: from the slot to the callback, in bytes
	Err       error  // why it did not run to its end: no verdict

	// What came of it.
	Events                  []Event
	Areas                   []CodeArea
	Trampoline, Size, Flags uint64 // members of the ftrace_ops
	AllocTramp              bool   // Flags has FTRACE_OPS_FL_ALLOC_TRAMP
	Literal                 uint64 // where the trampoline loads X2 from, or is to; 0 if not known
	CallAt, GraphAt         uint64 // where its slots are; 0 if not known
	Code                    uint64 // size of its code, return included, in bytes
	Numbers                 Trace
	parts                   map[int]parts // of the instructions that were stored, by event
	Diffs                   []Diff        // from the model
	before                  []Event       // of building it, in runs that follow Near

	// Of executing the trampoline, where it should work or may.
	Executed        bool
	Called, Graphed bool // the callback was called, ftrace_graph_caller was reached
	X2              uint64
	stop            *emu.Stop // why it did not get to its end
}

// Variant is the entry code that the trampoline is made of.
func (r *TrampRun) Variant() string {
	if r.Regs {
		return "ftrace_regs_caller"
	}
	return "ftrace_caller"
}

// Area is the memory that addr lies in.
func (r *TrampRun) Area(addr uint64) *CodeArea {
	for i := range r.Areas {
		if !r.Areas[i].Freed && r.Areas[i].Contains(addr) {
			return &r.Areas[i]
		}
	}
	return nil
}

// Word is the word at addr in memory for code.
func (r *TrampRun) Word(addr uint64) (w uint32, ok bool) {
	a := r.Area(addr)
	if a == nil || addr%a64.Size != 0 || addr-a.Addr+a64.Size > uint64(len(a.Bytes)) {
		return 0, false
	}
	b := a.Bytes[addr-a.Addr:]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, true
}

// Writer is the event that last wrote what is at addr; nil if none did.
func (r *TrampRun) Writer(addr uint64) *Event {
	for _, events := range [][]Event{r.Events, r.before} {
		for i := len(events) - 1; i >= 0; i-- {
			e := &events[i]
			switch e.Kind {
			case Store, Copy, Patch, PatchLiteral:
				if !e.Err && addr-e.Addr < e.Size {
					return e
				}
			}
		}
	}
	return nil
}

// Built is the trampoline of the run, to be executed in another World of the
// image; nil if there is none.
func (r *TrampRun) Built() *BuiltCode {
	a := r.Area(r.Trampoline)
	if a == nil {
		return nil
	}
	return &BuiltCode{
		Name:     "the trampoline of " + r.Variant(),
		Addr:     r.Trampoline,
		Code:     a.Bytes[min(r.Trampoline-a.Addr, uint64(len(a.Bytes))):],
		Ops:      r.Ops,
		Callback: r.Func,
		SaveRegs: r.Regs,
	}
}

// Trampolines is what came of executing the image's builder of trampolines.
type Trampolines struct {
	Why     string // there is no builder to execute: why
	Err     error  // there is one, and it could not be executed at all
	Builder uint64 // address of arch_ftrace_update_trampoline
	Models  []*Model
	// ModelErr says why there is no model to compare with, if there is none.
	ModelErr error
	Runs     []TrampRun
}

// Model is the model of the run's trampoline, or nil.
func (t *Trampolines) Model(r *TrampRun) *Model {
	for _, m := range t.Models {
		if m.Regs == r.Regs {
			return m
		}
	}
	return nil
}

// builderSymbol is the hook that the core calls for each ops.
const builderSymbol = "arch_ftrace_update_trampoline"

// strong is the address of a function that is more than the core's weak stub,
// or says why there is none.
func strong(im *elfscan.Image, name string) (addr uint64, why string) {
	s, ok := im.Lookup(name)
	switch {
	case !ok || !im.IsText(s.Addr):
		return 0, "the image has no " + name
	case s.Bind == elf.STB_WEAK:
		return 0, fmt.Sprintf("%s (%#x) is the core's weak stub", name, s.Addr)
	}
	for a := s.Addr; ; a += a64.Size {
		w, ok := im.Word(a)
		if rd, rm, mov := a64.IsMOV(w); mov && rd == SavedLR && rm == a64.LR {
			continue // a callsite
		}
		switch k := a64.Classify(w); {
		case k == a64.Ret:
			return 0, fmt.Sprintf("%s (%#x) returns at once", name, s.Addr)
		case !ok || k != a64.Nop && k != a64.Landing && k != a64.Hint:
			return s.Addr, ""
		}
	}
}

// opsLayout is what a builder reads and writes of a struct ftrace_ops: offsets
// in bytes, and flags.
type opsLayout struct {
	fn, flags, trampoline, size uint64
	saveRegs, allocTramp        uint64
	usual                       uint64      // flags that an ops has when it is registered
	core                        []opsMember // that are not the builder's
}

// An opsMember is a member of struct ftrace_ops, at an offset in bytes.
type opsMember struct {
	name string
	off  uint64
}

// coreMembers are pointers of struct ftrace_ops that are the core's to write,
// as far as a kernel has them.
var coreMembers = []string{"func", "next", "private", "saved_func", "func_hash", "ops_func", "managed", "direct_call"}

func readOpsLayout(im *elfscan.Image, near uint64) (l opsLayout, err error) {
	t, err := im.StructLayout("ftrace_ops", "FTRACE_OPS_FL_", near)
	if err != nil {
		return l, err
	}
	for _, m := range []struct {
		name string
		off  *uint64
	}{{"func", &l.fn}, {"flags", &l.flags}, {"trampoline", &l.trampoline}, {"trampoline_size", &l.size}} {
		v, ok := t.Offsets[m.name]
		if !ok || v > opsSize-8 {
			return l, fmt.Errorf("struct ftrace_ops has no usable member %s (by %s)", m.name, t.From)
		}
		*m.off = v
	}
	for _, name := range coreMembers {
		if off, ok := t.Offsets[name]; ok && off%8 == 0 && off <= opsSize-8 {
			l.core = append(l.core, opsMember{name, off})
		}
	}
	l.saveRegs, l.allocTramp = 1<<2, 1<<11 // since "ftrace: Add FTRACE_OPS_FL_ALLOC_TRAMP"
	l.usual = t.Enums["FTRACE_OPS_FL_INITIALIZED"] | t.Enums["FTRACE_OPS_FL_DYNAMIC"]
	for name, flag := range map[string]*uint64{"FTRACE_OPS_FL_SAVE_REGS": &l.saveRegs, "FTRACE_OPS_FL_ALLOC_TRAMP": &l.allocTramp} {
		if v, ok := t.Enums[name]; ok {
			*flag = v
		}
	}
	return l, nil
}

const opsSize = 1024 // more than a struct ftrace_ops has

// A trampWorld is a World in which trampolines are built.
type trampWorld struct {
	*World
	mem     codeMemory
	makers  map[uint64]string // functions that make instructions
	numbers Trace
	parts   [32]parts     // of what each register holds
	made    map[int]parts // of the instructions that were stored, by event
	layout  opsLayout
	all     *Trampolines
	from    uint64 // the instruction that runs, or that called the hook that does
	faults  []Diff // what the call that runs does that no function may

	page  uint64 // see callbackPage
	graph uint64 // address of ftrace_graph_active; 0 if there is none
	ops   uint64
}

// Offsets in the page that callbackPage gives, beside offCallback.
const (
	offCallback2 = 0x080 // the callback after the update
	offOwned     = 0x180 // a trampoline that the builder did not make
	offSite      = 0x400 // where a trampoline returns to
)

// callbackAway is how far behind memory at the edge the callback is, in bytes.
const callbackAway = 1 << 20

// callbackPage is the address of a page in reach of the entry code and of near
// memory, for callbacks and the like: behind the image, or before it.
func callbackPage(im *elfscan.Image) uint64 {
	sections := im.Sections()
	caller, _ := im.Addr("ftrace_caller")
	page := (sections[len(sections)-1].End() + 0x1ffff) &^ 0xffff
	if !a64.ReachOf(a64.Call).Contains(a64.Offset(caller, page)) {
		page = sections[0].Addr&^0xffff - 0x10000
	}
	return page
}

// BuildTrampolines executes the image's builder of trampolines, if it has
// one, in every Situation.
func BuildTrampolines(im *elfscan.Image) *Trampolines {
	all := &Trampolines{}
	template := FindTemplate(im)
	if template == nil {
		all.Why = "no dynamic trampoline builder (the era is " + im.Era().String() + ")"
		return all
	}
	if all.Builder, all.Why = strong(im, builderSymbol); all.Why != "" {
		return all
	}
	layout, err := readOpsLayout(im, all.Builder)
	if err != nil {
		all.Err = err
		return all
	}
	for _, regs := range []bool{false, true} {
		m, err := NewModel(im, template, regs)
		if err != nil {
			all.ModelErr = err
			continue
		}
		all.Models = append(all.Models, m)
	}
	t := &trampWorld{World: NewWorld(im), layout: layout, all: all, page: callbackPage(im)}
	t.graph, _ = im.Addr("ftrace_graph_active")
	t.findMakers()
	t.hookMemory()
	t.Hook(func(string) error {
		v, err := t.M.Read64(t.M.X[0] + layout.fn)
		t.M.X[0] = v
		return err
	}, "ftrace_ops_get_func")
	for _, regs := range []bool{false, true} {
		for _, graph := range t.graphStates() {
			t.life(regs, graph)
			for _, s := range []Situation{FarAbove, FarBelow, EdgeAbove, EdgeBelow, FarCallback} {
				if t.placeMemory(s) != 0 {
					t.record(t.build(TrampRun{Situation: s, Regs: regs, Graph: graph}))
				}
			}
			callAt := uint64(0)
			if near := t.recorded(Near, regs, graph); near != nil {
				callAt = near.CallAt
			}
			for _, d := range Borders {
				if d != 0 && callAt != 0 {
					t.record(t.build(TrampRun{Situation: EdgeCallback, Regs: regs, Graph: graph, Distance: d, CallAt: callAt}))
				}
			}
		}
		t.record(t.build(TrampRun{Situation: NoMemory, Regs: regs}))
		for n := range t.count(regs, func(e *Event) bool { return e.Kind == Copy && fallible[e.Func] }) {
			t.record(t.build(TrampRun{Situation: BadCopy, Regs: regs, Fail: n + 1}))
		}
		for n := range t.count(regs, func(e *Event) bool { return e.Kind == Protect }) {
			t.record(t.build(TrampRun{Situation: BadPerm, Regs: regs, Fail: n + 1}))
		}
		for _, graph := range t.graphStates() {
			for _, f := range t.failures(Near, regs, graph, ReadInsn, Patch, PatchLiteral) {
				t.record(t.build(TrampRun{Situation: BadPatch, Regs: regs, Graph: graph, FailFunc: f.name, Fail: f.n}))
			}
		}
		for _, role := range slotRoles {
			if _, ok := im.Addr(slotLabels[role]); ok {
				for _, w := range Aliens {
					t.record(t.build(TrampRun{Situation: AlienSlot, Regs: regs, Graph: t.graph != 0, Slot: slotLabels[role], Alien: w}))
				}
			}
		}
		t.badReleases(regs)
		t.owned(regs)
	}
	return all
}

// badReleases frees trampolines, with one of the changes of permissions that
// that takes failing.
func (t *trampWorld) badReleases(regs bool) {
	released := t.recorded(Released, regs, false)
	if released == nil {
		return
	}
	free, _ := strong(t.Image, "arch_ftrace_trampoline_free")
	n := 0
	for i := range released.Events {
		if released.Events[i].Kind == Protect {
			n++
		}
	}
	for i := range min(n, maxFailures) {
		near := t.build(TrampRun{Situation: Near, Regs: regs})
		if near.Err != nil || near.Trampoline == 0 {
			return
		}
		bad := TrampRun{Situation: BadRelease, Regs: regs, Ops: t.ops, Func: near.Func, Fail: i + 1, before: near.Events}
		t.mem.perms, t.mem.failPerm = 0, i+1
		t.run(&bad, free)
		t.record(bad)
	}
}

// slotRoles are the slots that builders patch, slotLabels their labels.
var (
	slotRoles  = []Role{CallSlot, GraphSlot}
	slotLabels = map[Role]string{CallSlot: "ftrace_call", GraphSlot: "ftrace_graph_call"}
)

// graphStates are the states of fgraph to build in.
func (t *trampWorld) graphStates() []bool {
	if t.graph == 0 {
		return []bool{false}
	}
	return []bool{false, true}
}

// maxFailures bounds the runs in which one call fails.
const maxFailures = 8

// recorded is the run in a situation, or nil.
func (t *trampWorld) recorded(s Situation, regs, graph bool) *TrampRun {
	for i := range t.all.Runs {
		if r := &t.all.Runs[i]; r.Situation == s && r.Regs == regs && r.Graph == graph {
			return r
		}
	}
	return nil
}

// count is how many events there are with memory near.
func (t *trampWorld) count(regs bool, is func(e *Event) bool) (n int) {
	if r := t.recorded(Near, regs, false); r != nil {
		for i := range r.Events {
			if is(&r.Events[i]) {
				n++
			}
		}
	}
	return min(n, maxFailures)
}

// A failure is a call of a function that fails.
type failure struct {
	name string
	n    int // from 1
}

// failures are the calls that a run has made of functions whose events are of
// these kinds.
func (t *trampWorld) failures(s Situation, regs, graph bool, kinds ...EventKind) (out []failure) {
	r := t.recorded(s, regs, graph)
	if r == nil {
		return nil
	}
	calls := map[string]int{}
	for i := range r.Events {
		if e := &r.Events[i]; slices.Contains(kinds, e.Kind) && len(out) < maxFailures {
			calls[e.Func]++
			out = append(out, failure{e.Func, calls[e.Func]})
		}
	}
	return out
}

func (t *trampWorld) record(r TrampRun) { t.all.Runs = append(t.all.Runs, r) }

// write64 and write32 write to memory that is mapped.
func (t *trampWorld) write64(addr, v uint64) {
	if err := t.M.Write64(addr, v); err != nil {
		panic(err)
	}
}

func (t *trampWorld) write32(addr uint64, v uint32) error { return t.M.Write32(addr, v) }

// placeMemory is where memory is allocated in a situation.
func (t *trampWorld) placeMemory(s Situation) uint64 {
	sections := t.Image.Sections()
	lo, hi := sections[0].Addr&^0xffff, (sections[len(sections)-1].End()+0xffff)&^0xffff
	switch s {
	case FarAbove:
		return hi + 192<<20
	case FarBelow:
		return lo - 192<<20
	case EdgeAbove, EdgeBelow:
		return t.edge(s)
	}
	// As modules are, below the image; above it if that is nearer to all.
	const gap = 4 << 20
	if below := lo - gap; hi-below < 127<<20 {
		return below
	}
	return hi + gap
}

// edge is the page next to the image from which a callsite is just out of
// reach: the first, from above, or the last, from below. It is 0 if there is
// none.
func (t *trampWorld) edge(s Situation) uint64 {
	table, err := t.Image.Sites()
	if err != nil || len(table.Addrs) == 0 {
		return 0
	}
	shape, page := t.Image.Era().Shape(), t.mem.page
	reach := a64.ReachOf(a64.Call)
	if s == EdgeAbove {
		first := t.Image.SiteAs(table.Addrs[0], shape).Call
		return (first + uint64(reach.Max) + page) &^ (page - 1)
	}
	last := t.Image.SiteAs(table.Addrs[len(table.Addrs)-1], shape).Call
	return (last+uint64(reach.Min)-1)&^(page-1) - page
}

// build executes the builder once for a fresh ops.
func (t *trampWorld) build(r TrampRun) TrampRun {
	t.start(&r)
	t.update(&r)
	if r.Err == nil {
		switch r.Situation {
		case Near, FarAbove, FarBelow, EdgeAbove, EdgeBelow, FarCallback, EdgeCallback, BadCopy, BadPatch:
			t.execute(&r)
			t.compare(&r)
		}
	}
	return r
}

// start makes the world of a run.
func (t *trampWorld) start(r *TrampRun) {
	t.Reset()
	t.resetMemory()
	t.mem.base = t.placeMemory(r.Situation)
	t.mem.failAlloc = r.Situation == NoMemory
	t.Fail = nil
	switch r.Situation {
	case BadCopy:
		t.mem.failCopy = r.Fail
	case BadPerm:
		t.mem.failPerm = r.Fail
	case BadPatch:
		t.Fail = map[string]int{r.FailFunc: r.Fail}
	}
	t.M.Map(t.page, emu.PageSize, emu.Read|emu.Exec)
	t.ops = t.New(opsSize)
	flags := t.layout.usual
	if r.Regs {
		flags |= t.layout.saveRegs
	}
	t.write64(t.ops+t.layout.flags, flags)
	if t.graph != 0 && r.Graph {
		r.Err = t.write32(t.graph, 1)
	}
	r.Ops, r.Func = t.ops, t.page+offCallback
	switch r.Situation {
	case FarCallback:
		r.Func = t.placeMemory(FarAbove) + offCallback
	case EdgeCallback:
		r.Func = r.CallAt + uint64(r.Distance)
	case EdgeAbove, EdgeBelow: // in reach, as it is to work but for the callsite
		r.Func = t.mem.base + callbackAway
	}
	if slot, ok := t.Image.Addr(r.Slot); ok {
		r.Err = t.write32(slot, r.Alien)
	}
}

// update executes arch_ftrace_update_trampoline() on the run's ops.
func (t *trampWorld) update(r *TrampRun) {
	t.write64(t.ops+t.layout.fn, r.Func)
	t.run(r, t.all.Builder)
}

// run executes a function on the run's ops and notes what came of it.
func (t *trampWorld) run(r *TrampRun, fn uint64) {
	t.Events = t.Events[:0]
	t.numbers, t.parts, t.made, t.faults = Trace{}, [32]parts{}, map[int]parts{}, nil
	before := t.opsNow(r)
	if r.Err == nil {
		r.Err = t.trace(fn, t.ops)
		if proof := misdeed(r.Err); proof != "" {
			t.fault(fn, "%s", proof)
			r.Err = nil
		}
	}
	r.Events = slices.Clone(t.Events)
	r.Numbers, r.parts = t.numbers, t.made
	member := func(off uint64) uint64 {
		v, err := t.M.Read64(t.ops + off)
		if err != nil {
			r.Err = err
		}
		return v
	}
	r.Trampoline, r.Size, r.Flags = member(t.layout.trampoline), member(t.layout.size), member(t.layout.flags)
	r.AllocTramp = r.Flags&t.layout.allocTramp != 0
	r.Areas = nil
	kept := uint64(0)
	for _, a := range t.mem.areas {
		c := *a
		c.Perms = slices.Clone(a.Perms)
		if !a.Freed {
			c.Bytes = make([]byte, min((a.Size+7)&^7, maxKept-kept))
			kept += uint64(len(c.Bytes))
			if err := t.M.Read(a.Addr, c.Bytes); err != nil && r.Err == nil {
				r.Err = err
			}
		}
		r.Areas = append(r.Areas, c)
	}
	if r.Err == nil {
		t.conduct(r, fn, before)
	}
}

// maxKept is how much of the areas of a run is kept, in bytes: a trampoline has
// some hundred.
const maxKept = 64 << 10

// life builds a trampoline with memory near, executes it, has it updated, and
// releases it.
func (t *trampWorld) life(regs, graph bool) {
	near := t.build(TrampRun{Situation: Near, Regs: regs, Graph: graph})
	t.record(near)
	if near.Err != nil || near.Trampoline == 0 {
		return
	}
	// next calls the builder again.
	next := func(s Situation, fn uint64) TrampRun {
		return TrampRun{Situation: s, Regs: regs, Graph: graph, Ops: t.ops, Func: fn, before: near.Events}
	}
	// goesOn tells whether the trampoline is what it was.
	goesOn := func(r *TrampRun) bool { return r.Err == nil && r.Trampoline == near.Trampoline }
	callback, callback2 := t.page+offCallback, t.page+offCallback2

	again := next(Updated, callback2)
	t.update(&again)
	if goesOn(&again) {
		t.compare(&again)
	}
	t.record(again)
	if !goesOn(&again) {
		return
	}
	if t.graph != 0 {
		for _, on := range []bool{!graph, graph} {
			r := next(GraphSwitched, callback2)
			r.Graph = on
			v := uint32(0)
			if on {
				v = 1
			}
			if r.Err = t.write32(t.graph, v); r.Err == nil {
				t.update(&r)
			}
			if goesOn(&r) {
				t.compare(&r)
			}
			t.record(r)
			if !goesOn(&r) {
				return
			}
		}
	}
	far := next(FarUpdate, t.placeMemory(FarAbove)+offCallback)
	far.CallAt, far.GraphAt, far.Was = again.CallAt, again.GraphAt, callback2
	t.update(&far)
	if goesOn(&far) {
		t.execute(&far)
	}
	t.record(far)
	if !goesOn(&far) {
		return
	}
	for _, f := range t.failures(Updated, regs, graph, ReadInsn, Patch, PatchLiteral) {
		old := next(Updated, callback)
		if t.update(&old); !goesOn(&old) {
			return
		}
		bad := next(BadUpdate, callback2)
		bad.Fail, bad.FailFunc = f.n, f.name
		bad.CallAt, bad.GraphAt, bad.Was = again.CallAt, again.GraphAt, callback
		clear(t.calls)
		t.Fail = map[string]int{f.name: f.n}
		t.update(&bad)
		t.Fail = nil
		if goesOn(&bad) {
			t.execute(&bad)
		}
		t.record(bad)
		if !goesOn(&bad) {
			return
		}
	}
	for _, role := range slotRoles {
		at := again.CallAt
		if role == GraphSlot {
			at = again.GraphAt
		}
		if at == 0 {
			continue
		}
		old, _ := again.Word(at)
		for _, w := range Aliens {
			alien := next(AlienUpdate, callback)
			alien.Slot, alien.Alien, alien.CallAt, alien.GraphAt = slotLabels[role], w, again.CallAt, again.GraphAt
			if alien.Err = t.write32(at, w); alien.Err == nil {
				t.update(&alien)
				t.record(alien)
			}
			if !goesOn(&alien) || t.write32(at, old) != nil {
				return
			}
		}
	}
	if free, why := strong(t.Image, "arch_ftrace_trampoline_free"); why == "" {
		gone := next(Released, callback)
		t.write64(t.ops+t.layout.flags, near.Flags|otherFlags&^t.layout.saveRegs)
		t.run(&gone, free)
		t.write64(t.ops+t.layout.flags, gone.Flags&^otherFlags|near.Flags&t.layout.saveRegs)
		t.record(gone)
		if gone.Err != nil || gone.Trampoline != 0 {
			return
		}
		anew := next(Rebuilt, callback)
		anew.before = nil
		t.update(&anew)
		t.execute(&anew)
		t.compare(&anew)
		t.record(anew)
	}
}

// otherFlags are flags of an ops that have nothing to do with its trampoline.
const otherFlags = 0x1_ffff &^ (1 << 11)

// owned calls the builder, and what frees, for an ops whose owner has set a
// trampoline of its own: it is not theirs to touch ("ftrace/x86: Add dynamic
// allocated trampoline for ftrace_ops").
func (t *trampWorld) owned(regs bool) {
	flags := otherFlags &^ (t.layout.saveRegs | t.layout.allocTramp)
	if regs {
		flags |= t.layout.saveRegs
	}
	for _, s := range []Situation{Owned, OwnedFreed} {
		fn := t.all.Builder
		if s == OwnedFreed {
			why := ""
			if fn, why = strong(t.Image, "arch_ftrace_trampoline_free"); why != "" {
				continue
			}
		}
		r := TrampRun{Situation: s, Regs: regs}
		t.start(&r)
		t.write64(t.ops+t.layout.flags, flags)
		t.write64(t.ops+t.layout.trampoline, t.page+offOwned)
		t.write64(t.ops+t.layout.fn, r.Func)
		t.run(&r, fn)
		t.record(r)
	}
}

// errStop ends the execution of a trampoline.
var errStop = errors.New("far enough")

// execute runs the trampoline from a callsite, up to where it returns or goes
// to ftrace_graph_caller.
func (t *trampWorld) execute(r *TrampRun) {
	m := t.M
	if r.Trampoline == 0 || r.Err != nil {
		return
	}
	r.Executed = true
	m.Hook(r.Func, func(*emu.Machine) error {
		if !r.Called {
			r.Called, r.X2 = true, m.X[2]
		}
		return nil
	})
	defer m.Hook(r.Func, nil)
	if caller, ok := t.Image.Addr("ftrace_graph_caller"); ok {
		m.Hook(caller, func(*emu.Machine) error { r.Graphed = true; return errStop })
		defer m.Hook(caller, nil)
	}
	limit := m.MaxSteps
	defer func() { m.MaxSteps = limit }()
	m.MaxSteps = 4096
	m.SP = stackTop - 512
	m.X[29] = m.SP + 64
	m.X[9] = t.page + offCaller
	m.X[30] = t.page + offSite
	m.PC = r.Trampoline
	errors.As(m.Run(t.page+offSite), &r.stop) // whether it comes back is for FT113 to see
}
