package trampoline

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// A builder executes the image's builder of trampolines.
type builder struct {
	*world.World
	table   *callsite.Table
	mem     *world.Memory
	tracer  *world.Tracer // nil: there are no makers of instructions to trace
	judge   func(r *Run)  // compares the trampoline of a run with the model
	members opsMembers
	all     *Results

	page  uint64 // see entry.CallbackPage
	next  uint64 // address of the callback after the update
	graph uint64 // address of ftrace_graph_active; 0 if the image has no such variable
	ops   uint64 // address of the ftrace_ops of the run

	fill     bool           // the core's members of an ops are not zero
	feature  uint64         // see findFeature
	counting *[]alternative // see countCalls; nil: not yet known
	locked   bool           // see watchLock
}

// Offsets in the page that entry.CallbackPage gives, beside entry.OffCallback.
const (
	offCallback2 = 0x080 // the callback after the update
	offOwned     = 0x180 // a trampoline that the builder did not make
	offSite      = 0x400 // a trampoline returns here
)

// callbackAway is the distance from memory at the edge to the callback behind it,
// in bytes.
const callbackAway = 1 << 20

// Build executes the image's builder of trampolines, if the image has one, in every
// Situation.
func Build(table *callsite.Table) *Results {
	all := &Results{}
	im := table.Image
	template := FindTemplate(table)
	if template == nil {
		all.None = &world.Lack{What: "no dynamic trampoline builder (the era is " + table.Era.String() + ")"}
		return all
	}
	if all.Builder, all.None = archHook(im, builderSymbol); all.None != nil {
		return all
	}
	members, err := readOpsMembers(im, all.Builder)
	if err != nil {
		all.Err = err
		return all
	}
	w := world.New(im)
	t := &builder{World: w, table: table, mem: world.NewMemory(w), members: members, all: all, page: entry.CallbackPage(im)}
	t.next = t.page + offCallback2
	t.hookOps()
	if table.Arch.AppendsReturn {
		t.appending(template)
		return all
	}
	for _, regs := range []bool{false, true} {
		m, err := NewModel(table, template, regs)
		if err != nil {
			all.ModelErr = err
			continue
		}
		all.Models = append(all.Models, m)
	}
	t.tracer, t.judge = world.NewTracer(w), t.compare
	t.graph, _ = im.Addr("ftrace_graph_active")
	for _, regs := range []bool{false, true} {
		for _, graph := range t.graphStates() {
			t.life(regs, graph)
			t.places(regs, graph)
		}
		t.failing(regs)
		t.badReleases(regs)
		t.owned(regs)
	}
	return all
}

// hookOps makes the stand-in for ftrace_ops_get_func(), which returns the callback
// of an ops.
func (t *builder) hookOps() {
	t.Hook(func(string) error {
		v, err := t.Mem.Read64(t.Arg(0) + t.members.fn)
		t.SetResult(v)
		return err
	}, "ftrace_ops_get_func")
}

// places builds trampolines with memory or callbacks elsewhere.
func (t *builder) places(regs, graph bool) {
	for _, s := range []Situation{FarAbove, FarBelow, EdgeAbove, EdgeBelow, FarCallback} {
		c := Case{Situation: s, Regs: regs, Graph: graph}
		if t.placeMemory(s.Place) == 0 {
			t.all.cut(Cut{c.Variant(), []Situation{s}, errors.New("the image has no callsites")})
			continue
		}
		t.record(t.build(c, 0))
	}
	near := t.recorded(Near, regs, graph)
	if near.CallAt == 0 { // life has recorded it
		t.all.cut(Cut{near.Variant(), []Situation{EdgeCallback}, errors.New("the place of the callback's slot is not known")})
		return
	}
	for _, d := range callsite.BorderDistances {
		if d != 0 {
			t.record(t.build(Case{Situation: EdgeCallback, Regs: regs, Graph: graph, Distance: d}, near.CallAt))
		}
	}
}

// failing builds trampolines while something fails.
func (t *builder) failing(regs bool) {
	t.record(t.build(Case{Situation: NoMemory, Regs: regs}, 0))
	for n := range t.few(t.count(regs, func(e *world.Event) bool { return e.Kind == world.Copy && world.Fallible(e.Func) }), Case{Situation: BadCopy, Regs: regs}) {
		t.record(t.build(Case{Situation: BadCopy, Regs: regs, Fail: Failure{N: n + 1}}, 0))
	}
	for n := range t.few(t.count(regs, func(e *world.Event) bool { return e.Kind == world.Protect }), Case{Situation: BadPerm, Regs: regs}) {
		t.record(t.build(Case{Situation: BadPerm, Regs: regs, Fail: Failure{N: n + 1}}, 0))
	}
	for _, graph := range t.graphStates() {
		for _, f := range t.failures(Near, regs, graph, BadPatch, world.ReadInsn, world.Patch, world.PatchLiteral) {
			t.record(t.build(Case{Situation: BadPatch, Regs: regs, Graph: graph, Fail: f}, 0))
		}
	}
	for _, role := range slotRoles {
		label := slotLabels[role]
		if _, ok := t.Image.Addr(label); !ok {
			continue
		}
		for _, w := range Aliens {
			t.record(t.build(Case{Situation: AlienSlot, Regs: regs, Graph: t.graph != 0, Slot: label, Alien: w}, 0))
		}
	}
}

// badReleases frees trampolines while a change of permissions fails: each change
// that freeing needs, in turn.
func (t *builder) badReleases(regs bool) {
	released := t.recorded(Released, regs, false)
	if released == nil {
		return
	}
	free, _ := archHook(t.Image, "arch_ftrace_trampoline_free")
	n := 0
	for i := range released.Events {
		if released.Events[i].Kind == world.Protect {
			n++
		}
	}
	for i := range t.few(n, Case{Situation: BadRelease, Regs: regs}) {
		near := t.build(Case{Situation: Near, Regs: regs}, 0)
		if near.Err != nil || near.Trampoline == 0 {
			return
		}
		bad := Run{Case: Case{Situation: BadRelease, Regs: regs, Fail: Failure{N: i + 1}}, Ops: t.ops, Func: near.Func, before: near.Events}
		t.mem.Expect(i + 1)
		t.run(&bad, free)
		t.record(bad)
	}
}

// slotRoles are the roles of the slots that builders patch. slotLabels are their
// labels.
var (
	slotRoles  = []Role{CallSlot, GraphSlot}
	slotLabels = map[Role]string{CallSlot: arch.ARM64.CallSlot, GraphSlot: arch.ARM64.GraphSlot}
)

// graphStates are the states of fgraph to build trampolines in: off, and on if the
// image has fgraph.
func (t *builder) graphStates() []bool {
	if t.graph == 0 {
		return []bool{false}
	}
	return []bool{false, true}
}

// maxFailures bounds the number of runs in which a call of one kind fails.
const maxFailures = 8

// few is n bounded by maxFailures. It notes that in a situation not every one of n
// calls fails.
func (t *builder) few(n int, c Case) int {
	if n > maxFailures {
		t.all.cut(Cut{c.Variant(), []Situation{c.Situation}, fmt.Errorf("the first %s of %s were made to fail", plural.Number(maxFailures), plural.Of(n, "call"))})
	}
	return min(n, maxFailures)
}

// recorded is the run in a situation, or nil.
func (t *builder) recorded(s Situation, regs, graph bool) *Run {
	for i := range t.all.Runs {
		if r := &t.all.Runs[i]; r.Situation == s && r.Regs == regs && r.Graph == graph {
			return r
		}
	}
	return nil
}

// count is the number of events of a kind in the run in Near.
func (t *builder) count(regs bool, is func(e *world.Event) bool) (n int) {
	if r := t.recorded(Near, regs, false); r != nil {
		for i := range r.Events {
			if is(&r.Events[i]) {
				n++
			}
		}
	}
	return n
}

// failures are the calls in the run in a situation that can fail: those whose events
// are of these kinds. There are at most maxFailures. They are to fail in the
// situation then.
func (t *builder) failures(s Situation, regs, graph bool, then Situation, kinds ...world.EventKind) (out []Failure) {
	r := t.recorded(s, regs, graph)
	if r == nil {
		return nil
	}
	calls := map[string]int{}
	for i := range r.Events {
		if e := &r.Events[i]; slices.Contains(kinds, e.Kind) {
			calls[e.Func]++
			out = append(out, Failure{e.Func, calls[e.Func]})
		}
	}
	return out[:t.few(len(out), Case{Situation: then, Regs: regs})]
}

func (t *builder) record(r Run) { t.all.Runs = append(t.all.Runs, r) }

// mustWrite64 writes to memory that is mapped.
func (t *builder) mustWrite64(addr, v uint64) {
	if err := t.Mem.Write64(addr, v); err != nil {
		panic(err)
	}
}

// placeMemory is the address from which memory is allocated, 0 if there is no such
// place.
func (t *builder) placeMemory(p Place) uint64 {
	if base := t.Image.Arch().Modules.Base; base != 0 {
		return base
	}
	sections := t.Image.Sections()
	lo, hi := sections[0].Addr&^0xffff, (sections[len(sections)-1].End()+0xffff)&^0xffff
	switch p {
	case AboveImage:
		return hi + 192<<20
	case BelowImage:
		return lo - 192<<20
	case AboveFirstSite, BelowLastSite:
		return t.edge(p)
	}
	// Memory is below the image, as modules are, unless the image is too large for
	// everything to be in reach from there.
	const gap = 4 << 20
	if below := lo - gap; hi-below < 127<<20 {
		return below
	}
	return hi + gap
}

// edge is the address of the page nearest to the image that is just out of reach of
// a callsite: above the image of the first callsite, below it of the last. It is 0
// if there are no callsites.
func (t *builder) edge(p Place) uint64 {
	addrs, page, reach := t.table.Addrs, t.mem.Page, t.table.Arch.Call
	if len(addrs) == 0 {
		return 0
	}
	if p == AboveFirstSite {
		first := t.table.Site(addrs[0]).Call
		return (first + uint64(reach.Max) + page) &^ (page - 1)
	}
	last := t.table.Site(addrs[len(addrs)-1]).Call
	return (last+uint64(reach.Min)-1)&^(page-1) - page
}

// build executes the builder once for a fresh ops. callAt is the address that the
// slot of the callback will have; it is used in EdgeCallback.
func (t *builder) build(c Case, callAt uint64) Run {
	r := Run{Case: c}
	r.CallAt = callAt
	t.start(&r)
	t.update(&r)
	if r.Err == nil {
		switch r.Situation {
		case Near, FarAbove, FarBelow, EdgeAbove, EdgeBelow, FarCallback, EdgeCallback, BadCopy, BadPatch:
			t.execute(&r)
			t.judge(&r)
		}
	}
	return r
}

// start makes the world of a run.
func (t *builder) start(r *Run) {
	t.Reset()
	t.mem.Reset(t.placeMemory(r.Situation.Place))
	t.mem.FailAlloc = r.Situation.Fails == Allocation
	t.Fail = nil
	switch r.Situation.Fails {
	case Copying:
		t.mem.FailCopy = r.Fail.N
	case Permissions:
		t.mem.FailPerm = r.Fail.N
	case Patching:
		t.FailCall(r.Fail.Func, r.Fail.N)
	}
	t.Mem.Map(t.page, emu.PageSize, emu.Read|emu.Exec)
	if t.ops = t.table.Arch.Objects; t.ops != 0 {
		t.Mem.Map(t.ops, callsite.OpsSize, emu.Read|emu.Write)
	} else {
		t.ops = t.Object(callsite.OpsSize)
	}
	if t.fill {
		t.fillOps()
	}
	flags := t.members.usual
	if r.Regs {
		flags |= t.members.saveRegs
	}
	t.mustWrite64(t.ops+t.members.flags, flags)
	if t.graph != 0 && r.Graph {
		r.Err = t.Mem.Write32(t.graph, 1)
	}
	r.Ops, r.Func = t.ops, t.page+entry.OffCallback
	switch r.Situation.Place {
	case CallbackAway:
		r.Func = t.placeMemory(AboveImage) + entry.OffCallback
	case CallbackAtEdge:
		r.Func = r.CallAt + uint64(r.Distance)
	case AboveFirstSite, BelowLastSite: // in reach: the callsite alone is not
		r.Func = t.mem.Base + callbackAway
	}
	if state, ok := t.Image.Addr("system_state"); ok && t.X != nil && r.Err == nil {
		const running = 3 // SYSTEM_RUNNING: while it boots, 6.1 leaves the memory writable
		r.Err = t.Mem.Write32(state, running)
	}
	if r.Thunk && r.Err == nil {
		r.Err = errors.Join(t.returnByThunk(), t.countCalls(r.Variant()))
	}
	if slot, ok := t.Image.Addr(r.Slot); ok {
		r.Err = t.Mem.Write32(slot, r.Alien)
	}
}

// fillOps gives the members of the ops values that no builder may use, but for those
// that are its own.
func (t *builder) fillOps() {
	for off := uint64(0); off < callsite.OpsSize; off += 8 {
		v := uint64(world.ObjectMark<<48 | off)
		if off == t.members.trampoline || off == t.members.size {
			v = 0
		}
		t.mustWrite64(t.ops+off, v)
	}
}

// update executes arch_ftrace_update_trampoline() on the run's ops.
func (t *builder) update(r *Run) {
	t.mustWrite64(t.ops+t.members.fn, r.Func)
	t.run(r, t.all.Builder)
}

// run executes a function on the run's ops and records the result in r.
func (t *builder) run(r *Run, fn uint64) {
	t.Events = t.Events[:0]
	before := t.opsNow(r)
	t.locked = false
	if r.Err == nil {
		var returned bool
		s := world.Subject{Name: t.Image.Name(fn), Fn: fn, Args: []uint64{t.ops}}
		if t.tracer != nil {
			returned, r.Err = t.tracer.Execute(s)
			r.Numbers, r.made = t.tracer.Numbers, t.tracer.Made
		} else {
			_, returned, r.Err = t.Execute(s)
			if stop := (*emu.Stop)(nil); errors.As(r.Err, &stop) && stop.Reason == emu.StepLimit { // none needs a hundredth
				t.Fault(fn, "does not come to an end: it runs for %s", plural.Of(t.Mem.MaxSteps, "instruction"))
				r.Err, t.locked = nil, false
			}
			if t.locked {
				t.Fault(fn, "returns with text_mutex locked")
			}
		}
		r.Died = r.Err == nil && !returned
	}
	r.Events = slices.Clone(t.Events)
	member := func(off uint64) uint64 {
		v, err := t.Mem.Read64(t.ops + off)
		if err != nil {
			r.Err = err
		}
		return v
	}
	r.Trampoline, r.Size, r.Flags = member(t.members.trampoline), member(t.members.size), member(t.members.flags)
	r.AllocTramp = r.Flags&t.members.allocTramp != 0
	r.Areas = nil
	kept := uint64(0)
	for _, a := range t.mem.Areas {
		c := *a
		c.Perms = slices.Clone(a.Perms)
		if !a.Freed {
			c.Bytes = make([]byte, min((a.Size+7)&^7, maxKept-kept))
			kept += uint64(len(c.Bytes))
			if err := t.Mem.Read(a.Addr, c.Bytes); err != nil && r.Err == nil {
				r.Err = err
			}
		}
		r.Areas = append(r.Areas, c)
	}
	if r.Err == nil {
		t.conduct(r, fn, before)
	}
}

// maxKept bounds the bytes of areas that a Run keeps. A trampoline has some
// hundred.
const maxKept = 64 << 10

// life builds a trampoline with memory near, executes it, updates it, and releases
// it. It ends early if the trampoline moves or is gone.
func (t *builder) life(regs, graph bool) {
	near := t.build(Case{Situation: Near, Regs: regs, Graph: graph}, 0)
	t.record(near)
	l := &lifetime{builder: t, near: near}
	stages := []stage{
		{func() bool { return near.Err == nil && near.Trampoline != 0 }, Near},
		{l.updates, Updated},
		{l.switchesGraph, GraphSwitched},
		{l.updatesFar, FarUpdate},
		{l.failsToUpdate, BadUpdate},
		{l.meetsAliens, AlienUpdate},
	}
	if free, err := archHook(l.Image, "arch_ftrace_trampoline_free"); err == nil {
		stages = append(stages, stage{func() bool { return l.releases(free) }, Released}, stage{l.rebuilds, Rebuilt})
	}
	for i, s := range stages {
		if s.run() {
			continue
		}
		c := Cut{Variant: near.Variant(), Why: l.ended(s.situation)}
		for _, later := range stages[i+1:] {
			c.Situations = append(c.Situations, later.situation)
		}
		if len(c.Situations) > 0 {
			t.all.cut(c)
		}
		return
	}
}

// ended says why the life of a trampoline ended with the last run, in a situation.
func (t *builder) ended(s Situation) error {
	last := &t.all.Runs[len(t.all.Runs)-1]
	switch {
	case last.Err != nil:
		return fmt.Errorf("with %v: %w", s, last.Err)
	case s == Near:
		return errors.New("it makes no trampoline")
	case s == Released:
		return fmt.Errorf("with %v, ops->trampoline stays", s)
	}
	return fmt.Errorf("with %v, the trampoline moves or is given up", s)
}

// A stage is a part of the life of a trampoline. run reports whether the next stage
// finds it as it needs it.
type stage struct {
	run       func() (goesOn bool)
	situation Situation
}

// A lifetime is what happens to a trampoline that was built with memory near.
type lifetime struct {
	*builder
	near  Run // of building it
	again Run // of its first update
}

// next makes a run that calls the builder again with the callback fn.
func (l *lifetime) next(s Situation, fn uint64) Run {
	c := Case{Situation: s, Regs: l.near.Regs, Graph: l.near.Graph}
	return Run{Case: c, Ops: l.ops, Func: fn, before: l.near.Events, Product: Product{CallAt: l.again.CallAt, GraphAt: l.again.GraphAt}}
}

// stands reports whether the trampoline is where it was.
func (l *lifetime) stands(r *Run) bool { return r.Err == nil && r.Trampoline == l.near.Trampoline }

// first and second are the addresses of the two callbacks that it gets in turn.
func (l *lifetime) first() uint64  { return l.page + entry.OffCallback }
func (l *lifetime) second() uint64 { return l.builder.next }

// updates gives it another callback. From then on its otherFlags are set.
func (l *lifetime) updates() bool {
	r := l.next(Updated, l.second())
	l.mustWrite64(l.ops+l.members.flags, l.near.Flags|otherFlags&^l.members.saveRegs)
	l.update(&r)
	if l.stands(&r) {
		l.judge(&r)
	}
	l.record(r)
	l.again = r
	return l.stands(&r)
}

// switchesGraph switches fgraph on and off.
func (l *lifetime) switchesGraph() bool {
	if l.graph == 0 {
		return true
	}
	for _, on := range []bool{!l.near.Graph, l.near.Graph} {
		r := l.next(GraphSwitched, l.second())
		r.Graph, r.CallAt, r.GraphAt = on, 0, 0
		v := uint32(0)
		if on {
			v = 1
		}
		if r.Err = l.Mem.Write32(l.graph, v); r.Err == nil {
			l.update(&r)
		}
		if l.stands(&r) {
			l.judge(&r)
		}
		l.record(r)
		if !l.stands(&r) {
			return false
		}
	}
	return true
}

// updatesFar gives it a callback out of reach.
func (l *lifetime) updatesFar() bool {
	r := l.next(FarUpdate, l.placeMemory(AboveImage)+entry.OffCallback)
	r.Was = l.second()
	l.update(&r)
	if l.stands(&r) {
		l.execute(&r)
	}
	l.record(r)
	return l.stands(&r)
}

// failsToUpdate gives it another callback while a read or a patch of an instruction
// fails: each one that the update needs, in turn.
func (l *lifetime) failsToUpdate() bool {
	for _, f := range l.failures(Updated, l.near.Regs, l.near.Graph, BadUpdate, world.ReadInsn, world.Patch, world.PatchLiteral) {
		old := l.next(Updated, l.first())
		if l.update(&old); !l.stands(&old) {
			return false
		}
		r := l.next(BadUpdate, l.second())
		r.Fail, r.Was = f, l.first()
		l.FailCall(f.Func, f.N)
		l.update(&r)
		l.Fail = nil
		if l.stands(&r) {
			l.execute(&r)
		}
		l.record(r)
		if !l.stands(&r) {
			return false
		}
	}
	return true
}

// meetsAliens gives it another callback while a word that no builder expects stands
// in a slot.
func (l *lifetime) meetsAliens() bool {
	for _, role := range slotRoles {
		at := l.again.CallAt
		if role == GraphSlot {
			at = l.again.GraphAt
		}
		if at == 0 {
			continue
		}
		old, _ := l.again.Word(at)
		for _, w := range Aliens {
			r := l.next(AlienUpdate, l.first())
			r.Slot, r.Alien = slotLabels[role], w
			if r.Err = l.Mem.Write32(at, w); r.Err == nil {
				l.update(&r)
				l.record(r)
			}
			if !l.stands(&r) || l.Mem.Write32(at, old) != nil {
				return false
			}
		}
	}
	return true
}

// releases frees it by arch_ftrace_trampoline_free(), at the address free.
func (l *lifetime) releases(free uint64) bool {
	flags := l.ops + l.members.flags
	gone := l.next(Released, l.first())
	gone.CallAt, gone.GraphAt = 0, 0
	l.mustWrite64(flags, l.near.Flags|otherFlags&^l.members.saveRegs)
	l.run(&gone, free)
	l.record(gone)
	return gone.Err == nil && gone.Trampoline == 0
}

// rebuilds has the builder make another for the same ops, whose otherFlags are set.
func (l *lifetime) rebuilds() bool {
	anew := l.next(Rebuilt, l.first())
	anew.before, anew.CallAt, anew.GraphAt = nil, 0, 0
	l.update(&anew)
	l.execute(&anew)
	l.judge(&anew)
	l.record(anew)
	return true
}

// otherFlags are flags of an ops that have nothing to do with its trampoline.
const otherFlags = 0x1_ffff &^ (1 << 11)

// owned calls the builder, and arch_ftrace_trampoline_free(), for an ops with a
// trampoline of its owner. Neither may touch it ("ftrace/x86: Add dynamic allocated
// trampoline for ftrace_ops").
func (t *builder) owned(regs bool) {
	flags := otherFlags &^ (t.members.saveRegs | t.members.allocTramp)
	if regs {
		flags |= t.members.saveRegs
	}
	for _, s := range []Situation{Owned, OwnedFreed} {
		fn := t.all.Builder
		if s == OwnedFreed {
			var err error
			if fn, err = archHook(t.Image, "arch_ftrace_trampoline_free"); err != nil {
				continue
			}
		}
		r := Run{Case: Case{Situation: s, Regs: regs}}
		t.start(&r)
		t.mustWrite64(t.ops+t.members.flags, flags)
		t.mustWrite64(t.ops+t.members.trampoline, t.page+offOwned)
		t.mustWrite64(t.ops+t.members.fn, r.Func)
		t.run(&r, fn)
		t.record(r)
	}
}

// errStop ends the execution of a trampoline at ftrace_graph_caller.
var errStop = errors.New("far enough")

// execute executes the trampoline from a callsite until it returns or goes to
// ftrace_graph_caller.
func (t *builder) execute(r *Run) {
	m := t.M
	if r.Trampoline == 0 || r.Err != nil {
		return
	}
	r.Executed = true
	if t.X != nil {
		t.executeX64(r)
		return
	}
	m.Hook(r.Func, func(*emu.Machine) error {
		if !r.Called {
			r.Called, r.X2 = true, t.Arg(2)
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
	m.SP = world.StackTop - 512
	m.X[29] = m.SP + 64
	m.X[9] = t.page + entry.OffCaller
	m.X[30] = t.page + offSite
	m.PC = r.Trampoline
	errors.As(m.Run(t.page+offSite), &r.stop) // FT113 judges whether it comes back
}
