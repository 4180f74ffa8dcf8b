package lint_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/world"
)

// A unit is code that is analysed as a whole: one function, or the entry code.
type unit struct {
	name  string
	entry bool // entry code: saves and restores, and has no ABI of C
	part  bool // what is executed of it counts, and not the whole
	words map[uint64]uint32
	order []uint64 // addresses, ascending

	live    map[uint64]regSet // live before an instruction
	slots   map[uint64]uint64 // of the frame, likewise: see slotBits
	depth   map[uint64]int64  // SP at an instruction, from SP at the entry
	escaped uint64            // slots whose address is taken
	bool01  bool              // returns 0 or 1, all of W0
	asks    uint64            // bits of the bool that its callers look at; 0 if not known
	targets map[uint64]bool   // of branches within the unit
	imms    []uint64          // immediates that it adds, subtracts or compares with
}

// Reasons why a mutant changes nothing.
const (
	whyDead      = "what differs is never read"
	whyFP        = "frame pointer of a C function: stack traces alone"
	whySame      = "the same effect"
	whySwap      = "independent neighbours"
	whySlot      = "slot: replaced before it runs"
	whyPAC       = "pointer authentication: no effect without keys"
	whyPad       = "landing pad in a kernel without BTI"
	whyProtector = "stack protector: acts on a stack that something else overwrote"
	whyOneInput  = "ftrace has one input for this function: same result"
	whyFrame     = "frame slot that is never read"
	whyX9        = "regs[9]: the callsite's X9 is the caller's LR, told elsewhere"
	whyPadding   = "padding before the function"
	whyRet       = "RET and BR differ in prediction, and in a kernel with BTI"
	whyWriter    = "the writer's own error code, as good as -EPERM"
	whyWorlds    = "the same in all random worlds"
	whyUnreached = "executed in no random world: what is called never gives what leads there"
	whyBool      = "bool whose callers ask for other than 0"
)

// successors are where execution goes on within the unit.
func (u *unit) successors(a uint64) []uint64 {
	w := u.words[a]
	kind := a64.Classify(w)
	var out []uint64
	inside := func(to uint64) {
		if _, ok := u.words[to]; ok {
			out = append(out, to)
		}
	}
	switch kind {
	case a64.Branch, a64.BCond, a64.CBZ, a64.TBZ:
		to, _ := a64.Target(w, a)
		inside(to)
	}
	if !kind.EndsFlow() {
		inside(a + a64.Size)
	}
	return out
}

// args is how many arguments a function takes, as far as ftrace calls it; 8
// for one that is not known.
func args(name string) uint32 {
	for _, f := range []struct {
		prefix string
		n      uint32
	}{
		{"__stack_chk_fail", 0}, {"aarch64_insn_gen_nop", 0}, {"aarch64_insn_gen_branch_imm", 3}, {"aarch64_insn_read", 2},
		{"aarch64_insn_patch_text_nosync", 2}, {"aarch64_insn_write_literal_u64", 2}, {"aarch64_insn_gen_move_reg", 3},
		{"ftrace_find_callable_addr", 3}, {"__module_text_address", 1}, {"ftrace_find_unique_ops", 1}, {"arm64_rec_get_ops", 1},
		{"preempt_schedule", 0}, {"ftrace_return_to_handler", 2}, {"prepare_ftrace_return", 3},
	} {
		if strings.HasPrefix(name, f.prefix) {
			return f.n
		}
	}
	return 8
}

// callee is the function that the instruction at a calls, "" if none is
// known.
func (u *unit) callee(im *elfscan.Image, a uint64) string {
	if to, ok := a64.Target(u.words[a], a); ok && a64.Classify(u.words[a]) == a64.Call {
		if s, ok := im.SymbolAt(to); ok && s.Addr == to {
			return s.Name
		}
	}
	return ""
}

// Registers that a caller finds as they were, and those that a call may
// change.
var (
	kept    = span(18, 29) | setSP
	changed = span(0, 17) | 1<<30 | setFlags
)

// leaves is what is live where the instruction at a leaves the unit.
func (u *unit) leaves(a uint64) regSet {
	w := u.words[a]
	switch kind := a64.Classify(w); {
	case u.entry && kind == a64.BR: // to a direct trampoline
		return span(0, 9) | kept | 1<<30
	case u.entry:
		return span(0, 8) | kept | 1<<30
	case kind == a64.Ret:
		return 1 | kept
	}
	return span(0, 7) | kept | 1<<30 // a tail call
}

// analyse finds what is live, before the first mutant.
func (u *unit) analyse(im *elfscan.Image) {
	u.targets = map[uint64]bool{}
	for a, w := range u.words {
		switch a64.Classify(w) {
		case a64.Branch, a64.BCond, a64.CBZ, a64.TBZ:
			to, _ := a64.Target(w, a)
			u.targets[to] = true
		}
	}
	for _, a := range u.order {
		if w := u.words[a]; w&0x1f800000 == 0x11000000 {
			u.imms = append(u.imms, uint64(w>>10&0xfff))
		}
	}
	u.live, u.slots = map[uint64]regSet{}, map[uint64]uint64{}
	u.depths()
	for a, w := range u.words {
		// ADD Xn, SP, #imm but for the frame pointer
		if w&0xffc003e0 == 0x910003e0 && w&31 != 29 && w&31 != 31 {
			u.escaped |= u.slotBits(a, int64(w>>10&0xfff), 8)
		}
	}
	for again := true; again; {
		again = false
		for _, a := range slices.Backward(u.order) {
			live, slots := u.before(im, a)
			if live != u.live[a] || slots != u.slots[a] {
				u.live[a], u.slots[a] = live, slots
				again = true
			}
		}
	}
}

// after is what is live behind the instruction at a, and the slots likewise.
func (u *unit) after(a uint64) (live regSet, slots uint64) {
	next := u.successors(a)
	for _, to := range next {
		live |= u.live[to]
		slots |= u.slots[to]
	}
	kind := a64.Classify(u.words[a])
	to, direct := a64.Target(u.words[a], a)
	_, inside := u.words[to]
	if kind.EndsFlow() && (!direct || !inside) || direct && kind != a64.Call && !inside && kind != a64.ADR && kind != a64.ADRP && kind != a64.LDRLit {
		live |= u.leaves(a)
	}
	return live, slots
}

func (u *unit) before(im *elfscan.Image, a uint64) (regSet, uint64) {
	live, slots := u.after(a)
	w := u.words[a]
	switch a64.Classify(w) {
	case a64.Call:
		n := args(u.callee(im, a))
		live &^= changed
		if n > 0 {
			live |= span(0, n-1)
		}
		used := u.escaped
		if u.callee(im, a) == "aarch64_insn_read" { // fills what X1 points to, and reads nothing
			if b := u.words[a-8]; b&0xffc003ff == 0x910003e1 { // ADD X1, SP, #imm
				slots &^= u.slotBits(a, int64(b>>10&0xfff), 4)
				used &^= u.slotBits(a, int64(b>>10&0xfff), 8)
			} else if b := u.words[a-12]; b&0xffc003ff == 0x910003e1 {
				slots &^= u.slotBits(a, int64(b>>10&0xfff), 4)
				used &^= u.slotBits(a, int64(b>>10&0xfff), 8)
			}
		}
		if u.entry {
			live |= 1 << 29 // stack traces go through the entry code
		}
		return live | setSP, slots | used
	case a64.BLR:
		return live&^changed | span(0, 3) | regs(w>>5&31) | 1<<29 | setSP, slots | u.escaped
	}
	i := effect(w)
	if !i.known {
		return ^regSet(0), ^uint64(0)
	}
	live = live&^i.def | i.use
	switch {
	case i.load && i.base == 31 && !i.regOff:
		slots |= u.slotBits(a, i.off, i.size)
	case i.load:
		slots |= u.escaped
	case i.store && i.base == 31 && !i.regOff:
		slots &^= u.slotBits(a, i.off, i.size)
	}
	return live, slots
}

// depths finds SP at each instruction.
func (u *unit) depths() {
	u.depth = map[uint64]int64{}
	if len(u.order) == 0 || u.entry {
		return
	}
	todo := []uint64{u.order[0]}
	u.depth[u.order[0]] = 0
	for len(todo) > 0 {
		a := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		d, w := u.depth[a], u.words[a]
		switch i := effect(w); {
		case w&0xffc003ff == 0xd10003ff: // SUB SP, SP, #imm
			d -= int64(w >> 10 & 0xfff)
		case w&0xffc003ff == 0x910003ff:
			d += int64(w >> 10 & 0xfff)
		case (i.load || i.store) && i.base == 31:
			d += i.writeback
		}
		for _, to := range u.successors(a) {
			if _, known := u.depth[to]; !known {
				u.depth[to] = d
				todo = append(todo, to)
			}
		}
	}
}

const frameMax = 256 // bytes of a frame that slots are kept of

// slotBits are the slots, 4 bytes each, of size bytes at SP+off at the
// instruction at a. Those that are no slot of the frame have no bit.
func (u *unit) slotBits(a uint64, off, size int64) (bits uint64) {
	d, known := u.depth[a]
	if !known {
		return 0
	}
	for b := d + off; b < d+off+size; b += 4 {
		if b >= -frameMax && b < 0 {
			bits |= 1 << ((b + frameMax) / 4)
		}
	}
	return bits
}

// fatal tells whether every path from a ends in the stack protector.
func (u *unit) fatal(im *elfscan.Image, a uint64) bool {
	for range 8 {
		if strings.HasPrefix(u.callee(im, a), "__stack_chk_fail") {
			return true
		}
		next := u.successors(a)
		if len(next) != 1 || a64.Classify(u.words[a]) == a64.Call {
			return false
		}
		a = next[0]
	}
	return false
}

// An oracle tells which mutants change nothing.
type oracle struct {
	im    *elfscan.Image // with the mutant in it, when equivalent is called
	sites *callsite.Table
	bti   bool // the kernel is built with BTI
	mach  *emu.Machine
	rand  *rand.Rand
	// executes tells whether the checks execute the instruction at an address.
	executes func(addr uint64) bool
	// boolean is the function whose result is 0 or 1 in all of W0, if one is.
	boolean string
	worlds  *worlds
	local   bool // see bench
}

// byWorlds is equivalent as far as executing whole functions tells.
func (o *oracle) byWorlds(u *unit, m *mutants.Mutant) string {
	for i, w := range m.Words {
		for _, w := range []uint32{w, u.words[m.Addr+uint64(i)*a64.Size]} {
			switch k := a64.Classify(w); {
			case k == a64.Landing && w&0xffffff3f == a64.BTI && !o.bti:
				return whyPad
			case k == a64.Hint || k == a64.Landing:
				return whyPAC
			}
		}
	}
	// A call of what is no function's entry skips what is done there, even where
	// that is nothing but signing LR.
	for i, w := range m.Words {
		a := m.Addr + uint64(i)*a64.Size
		if to, ok := a64.Target(w, a); ok && a64.Classify(w) == a64.Call {
			if _, inside := u.words[to]; inside || w == u.words[a] {
				continue
			}
			if s, found := o.im.SymbolAt(to); found && s.Addr != to {
				return ""
			}
		}
	}
	switch {
	case o.slot(m.Addr):
		return whySlot
	case !o.worlds.same(m):
		return ""
	case o.worlds.executes(m.Addr):
		return whyWorlds
	case u.fatal(o.im, m.Addr):
		return whyProtector
	case !o.local && !o.executes(m.Addr):
		return whyUnreached
	}
	return ""
}

// equivalent is why the mutant of the unit changes nothing, or "".
func (o *oracle) equivalent(u *unit, m *mutants.Mutant) string {
	if o.local {
		if why := o.byInstruction(u, m); why != "" || u.entry {
			return why
		}
	}
	return o.byWorlds(u, m)
}

// byInstruction is equivalent as far as the instructions about the mutant tell.
func (o *oracle) byInstruction(u *unit, m *mutants.Mutant) string {
	w := u.words[m.Addr]
	one := len(m.Words) == 1
	switch {
	case one && o.slot(m.Addr):
		return whySlot
	case u.fatal(o.im, m.Addr) && !o.executes(m.Addr):
		return whyProtector
	case u.entry && w == 0xa90427e8 && one && m.Words[0]&^(31<<10) == w&^(31<<10) && o.sites.Era == arch.RegsEra:
		return whyX9 // STP X8, X9, [SP, #64]
	case a64.Classify(w) == a64.Call && one:
		return o.beside(w, m)
	case o.oneInput(u):
		return whyOneInput
	}
	same, differ := o.sameEffect(u, m)
	if !same {
		return ""
	}
	hint := w
	if k := a64.Classify(w); !one && k != a64.Hint && k != a64.Landing {
		hint = u.words[m.Addr+a64.Size]
	}
	switch k := a64.Classify(hint); {
	case k == a64.Landing && hint&0xffffff3f == a64.BTI:
		if o.bti {
			return ""
		}
		return whyPad
	case k == a64.Hint || k == a64.Landing:
		return whyPAC
	case one && a64.Classify(w) == a64.Ret:
		if o.bti {
			return ""
		}
		return whyRet
	case differ.why != "":
		return differ.why
	case !one:
		return whySwap
	case differ.slots:
		return whyFrame
	case differ.regs == 0:
		return whySame
	case differ.regs == 1<<29:
		return whyFP
	}
	return whyDead
}

// slot tells whether the word at addr is one that ftrace replaces.
func (o *oracle) slot(addr uint64) bool {
	for _, name := range []string{"ftrace_call", "ftrace_graph_call"} {
		if a, ok := o.im.Addr(name); ok && a == addr {
			return true
		}
	}
	return false
}

// beside is why a BL of the unit may go one instruction beside its function.
func (o *oracle) beside(w uint32, m *mutants.Mutant) string {
	was, _ := a64.Target(w, m.Addr)
	now, ok := a64.Target(m.Words[0], m.Addr)
	skipped, _ := o.im.Word(was)
	padding, _ := o.im.Word(was - a64.Size)
	switch {
	case !ok || a64.Classify(m.Words[0]) != a64.Call:
	case now == was+a64.Size && skipped == a64.PACIASP:
		return whyPAC
	case now == was-a64.Size && padding == a64.NOP && !o.sites.Contains(was-8):
		return whyPadding
	}
	return ""
}

// oneInput tells whether ftrace calls the unit with constants alone, and the
// function, as it stands in the image, does with them what it should:
// ftrace_init_nop() has it make MOV X9, LR and, in some kernels, NOP.
func (o *oracle) oneInput(u *unit) bool {
	try := func(name string, want uint32, args ...uint64) bool {
		fn, ok := o.im.Addr(name)
		if !ok {
			return true
		}
		for range 8 {
			w := world.New(o.im)
			for i := range w.M.X {
				w.M.X[i] = o.rand.Uint64()
			}
			before := w.M.X
			w.M.N, w.M.Z, w.M.C, w.M.V = o.rand.IntN(2) == 0, o.rand.IntN(2) == 0, o.rand.IntN(2) == 0, o.rand.IntN(2) == 0
			got, err := w.Call(fn, args...)
			const stackAlign = 4096 // of SP at the call
			if err != nil || uint32(got) != want || w.M.SP%stackAlign != 0 || !slices.Equal(before[18:30], w.M.X[18:30]) || len(w.Events) > 0 {
				return false
			}
		}
		return true
	}
	switch u.name {
	case "aarch64_insn_gen_move_reg", "aarch64_insn_gen_logical_shifted_reg", "aarch64_insn_encode_register", "aarch64_insn_gen_nop", "aarch64_insn_gen_hint":
		return try("aarch64_insn_gen_move_reg", a64.EncodeMOV(9, a64.LR), 9, a64.LR, 1) && try("aarch64_insn_gen_nop", a64.NOP)
	}
	return false
}

// differences are what is left different by a mutant, and not live.
type differences struct {
	regs  regSet
	slots bool
	why   string // beyond what is not live
}

const (
	trials      = 192
	scratch     = uint64(0xffff_0000_4000_0000) // memory that random pointers point into
	scratchSize = 4 << 10
	ahead       = 8 // instructions that are executed behind the mutant
)

// branchMaker makes B and BL. ftrace gives it addresses of instructions.
const branchMaker = "aarch64_insn_gen_branch_imm"

// plainFlow tells whether the instruction w goes on to the next.
func plainFlow(w uint32) bool {
	switch k := a64.Classify(w); k {
	case a64.Call, a64.BLR, a64.BCond, a64.CBZ, a64.TBZ:
		return false
	default:
		return !k.EndsFlow()
	}
}

// sameEffect executes the code that leads up to the mutant in a straight
// line, then the instruction or its mutant, then what follows up to a branch,
// from random states, and compares what is live afterwards.
func (o *oracle) sameEffect(u *unit, m *mutants.Mutant) (bool, differences) {
	var all differences
	end := m.Addr + uint64(len(m.Words))*a64.Size
	calls := func(a uint64, w uint32) bool {
		to, direct := a64.Target(w, a)
		_, inside := u.words[to]
		k := a64.Classify(w)
		return k == a64.BLR || k == a64.Call && !(direct && inside)
	}
	for i, w := range m.Words {
		a := m.Addr + uint64(i)*a64.Size
		if a64.Classify(u.words[a]) == a64.Break || calls(a, w) || calls(a, u.words[a]) || !effect(w).known || !effect(u.words[a]).known || i > 0 && u.targets[a] {
			return false, all
		}
	}
	start := m.Addr
	for i := 0; i < 12 && !u.targets[start]; i++ {
		w, ok := u.words[start-a64.Size]
		if !ok || !plainFlow(w) || !effect(w).known {
			break
		}
		start -= a64.Size
	}
	stop := end
	plain := plainFlow(u.words[m.Addr]) && plainFlow(u.words[end-a64.Size])
	for i := 0; plain && i < ahead && plainFlow(u.words[stop-a64.Size]); i++ {
		w, ok := u.words[stop]
		if !ok || calls(stop, w) || !effect(w).known {
			break
		}
		stop += a64.Size
	}
	valid := 0
	went := map[uint64]bool{} // where the code led, in the trials
	for range trials {
		state := o.state(u, start)
		a, errA := o.execute(u, m, start, stop, false, state)
		if errA != nil || u.fatal(o.im, a.pc) { // a random pointer, or a broken canary
			continue
		}
		state.until = a.pc
		b, errB := o.execute(u, m, start, stop, true, state)
		if errB != nil || a.pc != b.pc {
			return false, all
		}
		valid++
		went[a.pc] = true
		live, slots := ^regSet(0), ^uint64(0)
		if _, inside := u.words[a.pc]; inside {
			live, slots = u.live[a.pc], u.slots[a.pc]
		} else {
			live, slots = u.leaves(stop-a64.Size), 0
		}
		for r := range uint32(31) {
			if a.x[r] == b.x[r] {
				continue
			}
			switch {
			case live>>r&1 == 0:
				all.regs |= 1 << r
			case r == 0 && u.afterWriter(o.im, start) && (uint32(a.x[0]) == 0) == (uint32(b.x[0]) == 0):
				all.why = whyWriter
			case r == 0 && u.asks != 0 && (a.x[0]&u.asks == 0) == (b.x[0]&u.asks == 0) && u.returning(a.pc):
				all.why = whyBool
			default:
				return false, all
			}
		}
		for i, f := range []regSet{setN, setZ, setC, setV} {
			if live&f != 0 && a.flags[i] != b.flags[i] {
				return false, all
			}
		}
		if a.sp != b.sp {
			return false, all
		}
		for i := range a.mem {
			if a.mem[i] == b.mem[i] {
				continue
			}
			// below SP at the function's entry, and in no live slot
			depth, known := u.depth[start]
			rel := int64(scratch+uint64(i)-state.sp) + depth
			if u.entry || !known || rel >= 0 || rel < -frameMax || slots>>((rel+frameMax)/4)&1 == 1 {
				return false, all
			}
			all.slots = true
		}
	}
	// Both ways of a branch must have been seen, but that into the stack
	// protector.
	ways := 1
	for _, a := range []uint64{m.Addr, stop - a64.Size} {
		switch w := u.words[a]; a64.Classify(w) {
		case a64.BCond, a64.CBZ, a64.TBZ:
			to, _ := a64.Target(w, a)
			const hi = 8 // its other branches are on what no caller gives it
			if !u.fatal(o.im, to) && (u.name != branchMaker || w&15 == hi) {
				ways = 2
			}
		}
	}
	return valid >= 8 && len(went) >= ways, all
}

// returning tells whether the code at a goes on to RET with X0 as it is.
func (u *unit) returning(a uint64) bool {
	for range 8 {
		w := u.words[a]
		next := u.successors(a)
		switch k := a64.Classify(w); {
		case k == a64.Ret:
			return true
		case k == a64.Call || effect(w).def&1 != 0 || effect(w).use&1 != 0 || len(next) != 1:
			return false
		}
		a = next[0]
	}
	return false
}

// afterWriter tells whether the code at start follows a call that patches the
// callsite.
func (u *unit) afterWriter(im *elfscan.Image, start uint64) bool {
	return u.callee(im, start-a64.Size) == "aarch64_insn_patch_text_nosync"
}

// returnsBool looks at a static function that returns bool: whether it makes
// all of W0 0 or 1, and how its callers look at that.
func (u *unit) returnsBool(all []*unit, im *elfscan.Image) {
	if !strings.HasPrefix(u.name, "ftrace_find_callable_addr") {
		return
	}
	u.bool01 = true
	for _, a := range u.order {
		if effect(u.words[a]).def&1 == 0 || u.words[a] == 0x52800000 || u.words[a] == 0x52800020 { // MOV W0, #0 or #1
			continue
		}
		// another definition of X0: it must not reach RET
		seen := map[uint64]bool{}
		todo := u.successors(a)
		for len(todo) > 0 {
			b := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[b] {
				continue
			}
			seen[b] = true
			switch k := a64.Classify(u.words[b]); {
			case k == a64.Ret:
				u.bool01 = false
			case k == a64.Call || effect(u.words[b]).def&1 != 0:
			default:
				todo = append(todo, u.successors(b)...)
			}
		}
	}
	bits := map[uint64]bool{}
	for _, c := range all {
		for _, a := range c.order {
			if c.callee(im, a) != u.name {
				continue
			}
			switch next := c.words[a+a64.Size]; {
			case next == 0x72001c1f: // TST W0, #0xff
				bits[0xff] = true
			case next&0xfef8001f == 0x36000000: // TBZ, TBNZ W0, #0
				bits[1] = true
			default:
				bits[0] = true
			}
		}
	}
	if len(bits) == 1 {
		for b := range bits {
			u.asks = b
		}
	}
}

// zeroAt is the register that is 0 at a, because CBZ leads there, or CBNZ
// does not lead away, and nothing else comes there; 31 if there is none. wide
// tells whether all of it is 0, and not only the lower half.
func (u *unit) zeroAt(a uint64) (reg uint32, wide bool) {
	reg, wide = 31, true
	for _, b := range u.order {
		if !slices.Contains(u.successors(b), a) {
			continue
		}
		w := u.words[b]
		to, _ := a64.Target(w, b)
		zero := w>>24&0x7f == 0x34 && to == a || w>>24&0x7f == 0x35 && to != a
		if !zero || reg != 31 && reg != w&31 {
			return 31, false
		}
		reg, wide = w&31, wide && w>>31 == 1
	}
	return reg, wide
}

// A state is a machine before or after a piece of code.
type state struct {
	x     [31]uint64
	sp    uint64
	pc    uint64
	flags [4]bool
	mem   []byte
	until uint64 // where the code goes without the mutant
}

// state is a random state, within what can be at the address of the unit.
func (o *oracle) state(u *unit, start uint64) *state {
	r := o.rand
	s := &state{mem: make([]byte, scratchSize)}
	// Values are drawn from few, so that some are equal and some just in or
	// out of the reach of each other, and some are pointers.
	pointer := func() uint64 { return scratch + 512 + r.Uint64N(scratchSize/2)&^7 }
	base := pointer()
	few := []uint64{base, pointer(), pointer() + 4, pointer(), r.Uint64(), r.Uint64() | 1<<21, r.Uint64N(4), 0, a64.NOP}
	few = append(few, r.Uint64N(4096), a64.NOP<<32|a64.NOP)
	if len(u.imms) > 0 { // what the code compares with, or nearly
		few = append(few, u.imms[r.IntN(len(u.imms))]+r.Uint64N(3)-1)
	}
	few = append(few, base+uint64(callsite.BorderDistances[r.IntN(len(callsite.BorderDistances))]), base-uint64(callsite.BorderDistances[r.IntN(len(callsite.BorderDistances))]))
	for _, name := range []string{"ftrace_caller", "ftrace_regs_caller"} {
		if a, ok := o.im.Addr(name); ok {
			few = append(few, a)
		}
	}
	value := func() uint64 {
		if r.IntN(2) == 0 {
			return few[r.IntN(4)]
		}
		return few[r.IntN(len(few))]
	}
	for i := range s.x {
		s.x[i] = value()
		if i >= 19 {
			s.x[i] &^= 3 // rec, rec->ip, mod, and words that are compared
		}
	}
	s.x[30] &^= 3                      // a return address
	s.sp = scratch + scratchSize - 512 // no argument points into the frame
	v := value() &^ 3
	uniform, halves := r.IntN(3) == 0, r.IntN(3) == 0 // one value everywhere is one for the canary
	for i := 0; i < len(s.mem); i += 8 {
		if !uniform {
			v = value()
		}
		// What pointers lead to most is rec->ip, an address of an instruction;
		// on the stack there are words of code, too.
		if v != a64.NOP<<32|a64.NOP || scratch+uint64(i) < s.sp-128 {
			v &^= 3<<32 | 3
		}
		if halves {
			v = v&0xffff_ffff | v<<32
		}
		binary.LittleEndian.PutUint64(s.mem[i:], v)
	}
	for i := range s.flags {
		s.flags[i] = r.IntN(2) == 0
	}
	// What C guarantees of bool is that the low byte is 0 or 1; what calls
	// return that patch the callsite is 0 or an error.
	switch callee := u.callee(o.im, start-a64.Size); {
	case callee == "":
	case callee == o.boolean:
		s.x[0] = r.Uint64N(2)
	case u.afterWriter(o.im, start):
		s.x[0] = r.Uint64()<<32 | uint64(uint32(-r.Int32N(2)*22))
	}
	if zero, wide := u.zeroAt(start); wide && zero != 31 {
		s.x[zero] = 0
	} else if zero != 31 {
		s.x[zero] &^= 0xffff_ffff
	}
	// Addresses of instructions are multiples of 4, and there are two types.
	if u.name == branchMaker {
		if start == u.order[0] {
			s.x[0] &^= 3
			s.x[1] = s.x[0] + (r.Uint64N(1<<29)-(1<<28))&^3
		}
		if zero, _ := u.zeroAt(start); zero != 2 {
			s.x[2] = r.Uint64()&^0xffff_ffff | r.Uint64N(2)
			if last := u.words[start-a64.Size]; last&0xff00001f == 0x34000002 { // behind CBZ W2
				s.x[2] |= 1
			}
		}
	}
	return s
}

// execute runs the unit from start to stop, with the mutant or without.
func (o *oracle) execute(u *unit, m *mutants.Mutant, start, stop uint64, mutated bool, from *state) (*state, error) {
	if o.mach == nil {
		o.mach = &emu.Machine{Core: emu.Core{MaxSteps: 1}, OnBreak: func(uint64, uint16) emu.BreakAction { return emu.Continue }}
		o.mach.Load = func(addr uint64, page []byte) (emu.Perm, bool) {
			return emu.Read | emu.Write | emu.Exec, o.im.ReadAt(addr, page)
		}
	}
	mach := o.mach
	mach.Reset()
	for a := start; a < stop; a += a64.Size {
		if err := mach.Write32(a, u.words[a]); err != nil {
			return nil, err
		}
	}
	for i, w := range m.Words {
		if mutated {
			if err := mach.Write32(m.Addr+uint64(i)*a64.Size, w); err != nil {
				return nil, err
			}
		}
	}
	mach.Map(scratch, scratchSize, emu.Read|emu.Write)
	if err := mach.Write(scratch, from.mem); err != nil {
		return nil, err
	}
	mach.X, mach.SP, mach.PC = from.x, from.sp, start
	mach.N, mach.Z, mach.C, mach.V = from.flags[0], from.flags[1], from.flags[2], from.flags[3]
	mach.Sys[emu.SPEL0] = scratch + 512
	for n := 0; mach.PC >= start && mach.PC < stop; n++ {
		pc := mach.PC
		err := mach.Run(emu.ReturnAddress)
		var halt *emu.Stop
		if err != nil && !(errors.As(err, &halt) && (halt.Reason == emu.StepLimit || halt.PC != pc)) {
			return nil, err
		}
		if n > 32 {
			return nil, errors.New("a loop")
		}
	}
	// The mutant may come to the same place a few instructions later.
	for n := 0; mutated && mach.PC != from.until && n < 6; n++ {
		w, inside := u.words[mach.PC]
		if k := a64.Classify(w); !inside || o.slot(mach.PC) || k == a64.Call || k == a64.BLR || k == a64.Ret || k == a64.BR {
			break
		}
		_ = mach.Run(emu.ReturnAddress)
	}
	to := &state{x: mach.X, sp: mach.SP, pc: mach.PC, flags: [4]bool{mach.N, mach.Z, mach.C, mach.V}, mem: make([]byte, scratchSize)}
	return to, mach.Read(scratch, to.mem)
}
