package trampoline

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	emux64 "github.com/ftlint/ftlint/emu/x64"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/world"
	"github.com/ftlint/ftlint/x64"
)

// This file is about builders that append a return to a copy of one region of the
// entry code: create_trampoline() of x86-64. The memory lies among the modules, which
// CALL reaches from everywhere.

// nextAway is the distance of the second callback from the page of the first, in bytes:
// each byte of a displacement to it is another one.
const nextAway = 0x0203_0480

// appending executes such a builder in the situations that it knows.
func (t *builder) appending(template *Template) {
	x := &appender{builder: t, template: template}
	t.judge = x.compare
	t.next = t.page - nextAway
	t.fill = true
	t.watchLock()
	if _, ok := t.Image.Addr("__vmalloc_node_range"); ok {
		t.Unhook("module_alloc") // its own call says which permissions the memory has, and whether they are reset
	}
	for _, regs := range []bool{false, true} {
		x.life(regs)
		if x.thunk() != nil {
			t.record(t.build(Case{Situation: Near, Regs: regs, Thunk: true}, 0))
		}
		t.record(t.build(Case{Situation: NoMemory, Regs: regs}, 0))
		copies := t.count(regs, func(e *world.Event) bool { return e.Kind == world.Copy && world.Fallible(e.Func) })
		for n := range t.few(copies, Case{Situation: BadCopy, Regs: regs}) {
			t.record(t.build(Case{Situation: BadCopy, Regs: regs, Fail: Failure{N: n + 1}}, 0))
		}
		x.aliens(regs)
		t.owned(regs)
	}
	x.bothMade()
}

// bothMade has it noticed where the builder makes one variant of the trampoline alone,
// or none, though nothing fails.
func (x *appender) bothMade() {
	near := func(regs bool) *Run { return x.recorded(Near, regs, false) }
	for _, regs := range []bool{false, true} {
		none, made := near(regs), near(!regs)
		fact := "it makes one of " + made.Variant()
		if made.Trampoline == 0 {
			fact = "it asks for no memory"
		}
		if none.Err != nil || none.Died || none.Trampoline != 0 || made.Trampoline == 0 && !x.hasCodeMemory() || len(none.Diffs) > 0 {
			continue
		}
		none.Diffs = append(none.Diffs, Diff{Kind: Misconduct, PC: x.all.Builder,
			What:  fmt.Sprintf("the builder makes no trampoline of %s, though nothing fails", none.Variant()),
			Facts: []string{fact}})
	}
}

// hasCodeMemory reports whether the kernel has a function that allocates memory for
// code. Without modules kernels before 6.10 have none, and their builders make nothing.
func (x *appender) hasCodeMemory() bool {
	return slices.ContainsFunc([]string{"module_alloc", "module_alloc_noprof", "execmem_alloc", "execmem_alloc_noprof"}, func(name string) bool {
		_, ok := x.Image.Addr(name)
		return ok
	})
}

// aliens builds trampolines of entry code that has another instruction than it ought to
// where the builder writes. A builder may refuse to. The op load, which both variants
// have, is that of ftrace_caller.
func (x *appender) aliens(regs bool) {
	c := Case{Situation: AlienSlot, Regs: regs}
	for _, region := range x.table.Arch.Regions {
		for _, s := range region.Slots {
			bits := []uint32{1}
			switch {
			case region.Start != c.Variant() || s.Is == arch.CallSlot || s.Is == arch.OpLoad && regs:
				continue
			case s.Is == arch.OpLoad:
				bits = []uint32{1, 1 << 16} // of the first byte, and of the last that is not the displacement's
			}
			at, _ := x.Image.Addr(s.Label)
			w, ok := x.Image.Word(at)
			for _, bit := range bits {
				if c.Slot, c.Alien = s.Label, w^bit; ok {
					x.record(x.build(c, 0))
				}
			}
		}
	}
}

// watchLock has it noticed where code in use is patched without text_mutex, and where
// that is not given back.
func (t *builder) watchLock() {
	mutex, ok := t.Image.Addr("text_mutex")
	if !ok {
		return
	}
	t.AtCall = func(name string) {
		if !t.locked && slices.Contains(t.table.Arch.Patching.Locked, name) {
			t.Fault(t.Caller(), "calls %s() without text_mutex", name)
		}
	}
	t.Hook(func(name string) error {
		lock := name == "mutex_lock"
		switch {
		case t.Arg(0) != mutex:
			t.Fault(t.Caller(), "calls %s() for %#x, text_mutex is at %#x", name, t.Arg(0), mutex)
		case lock == t.locked:
			t.Fault(t.Caller(), "calls %s() for text_mutex twice", name)
		}
		t.locked = lock
		t.SetInt(-1) // they have no result
		return nil
	}, "mutex_lock", "mutex_unlock")
}

// An appender judges such a builder.
type appender struct {
	*builder
	template *Template
}

// life builds a trampoline, gives it another callback, frees it, and builds another.
func (x *appender) life(regs bool) {
	near := x.build(Case{Situation: Near, Regs: regs}, 0)
	x.record(near)
	l := &lifetime{builder: x.builder, near: near}
	if near.Err != nil || near.Trampoline == 0 || !l.updates() {
		x.all.cut(Cut{near.Variant(), []Situation{Updated, Released, Rebuilt}, l.ended(Near)})
		return
	}
	free, err := archHook(x.Image, "arch_ftrace_trampoline_free")
	if err != nil {
		x.all.cut(Cut{near.Variant(), []Situation{Released, Rebuilt}, err})
		return
	}
	if !l.releases(free) {
		x.all.cut(Cut{near.Variant(), []Situation{Rebuilt}, l.ended(Released)})
		return
	}
	l.rebuilds()
}

// Bit of struct cpuinfo_x86.x86_capability: X86_FEATURE_RETHUNK of
// arch/x86/include/asm/cpufeatures.h.
const featureRethunk = 11*32 + 14

// thunk is the variable with the address of the return thunk; nil if the kernel has
// none.
func (t *builder) thunk() *elf.Symbol {
	s, ok := t.Image.Lookup("x86_return_thunk")
	if !ok {
		return nil
	}
	return &elf.Symbol{Name: s.Name, Value: s.Addr}
}

// returnByThunk has the processor be one whose mitigations need the return thunk.
func (t *builder) returnByThunk() error {
	if t.feature == 0 {
		if err := t.findFeature(); err != nil {
			return err
		}
	}
	var b [1]byte
	if err := t.Mem.Read(t.feature, b[:]); err != nil {
		return err
	}
	return t.Mem.Write(t.feature, []byte{b[0] | 1<<(featureRethunk%8)})
}

// findFeature finds the byte of the processor's features that has featureRethunk.
func (t *builder) findFeature() error {
	cpu, ok := t.Image.Addr("boot_cpu_data")
	if !ok {
		return errors.New("the image has no boot_cpu_data")
	}
	types, err := ktypes.Open(t.Image, t.all.Builder)
	if err != nil {
		return err
	}
	of, err := types.Struct("cpuinfo_x86")
	if err != nil {
		return err
	}
	m, err := types.Member(of, "x86_capability")
	if err != nil {
		return err
	}
	t.feature = cpu + m.Offset + featureRethunk/8
	return nil
}

// executeX64 executes the trampoline of the run from a callsite until it returns.
func (t *builder) executeX64(r *Run) {
	m := t.X
	m.Hook(r.Func, func(*emux64.Machine) error {
		if !r.Called {
			r.Called, r.X2 = true, t.Arg(2)
		}
		return nil
	})
	defer m.Hook(r.Func, nil)
	limit := m.MaxSteps
	defer func() { m.MaxSteps = limit }()
	m.MaxSteps = 4096
	m.R[emux64.RSP] = world.StackTop - 512
	for i, v := range []uint64{t.page + offSite, t.page + entry.OffCaller} { // the callsite's return address, and its caller's
		t.mustWrite64(m.R[emux64.RSP]+8*uint64(i), v)
	}
	m.PC = r.Trampoline
	errors.As(m.Run(t.page+offSite), &r.stop) // FT113 judges whether it comes back
}

// A copied is a trampoline of a run beside the region that it is a copy of.
type copied struct {
	*appender
	r      *Run
	region *Region
	code   []byte // from the trampoline on, to the end of its memory
	slots  map[uint64]arch.SlotKind
}

// compare compares the trampoline of the run with the one of a correct builder.
func (x *appender) compare(r *Run) {
	if r.Trampoline == 0 {
		return
	}
	region := x.template.Region(r.Variant())
	a := r.Area(r.Trampoline)
	c := &copied{appender: x, r: r, region: region, slots: map[uint64]arch.SlotKind{}}
	switch {
	case region == nil:
		x.all.ModelErr = fmt.Errorf("the template has no region %s..%s_end (FT101, FT102)", r.Variant(), r.Variant())
		return
	case a == nil:
		c.find(Unexplained, r.Trampoline, 0, "ops->trampoline points outside the memory that the builder has allocated", fmt.Sprintf("ops->trampoline is %#x", r.Trampoline))
		return
	}
	c.code = a.Bytes[min(r.Trampoline-a.Addr, uint64(len(a.Bytes))):]
	for _, l := range x.table.Arch.Regions {
		if l.Start != region.Label {
			continue
		}
		for _, s := range l.Slots {
			if at, ok := x.Image.Addr(s.Label); ok && region.Contains(at) {
				c.slots[at-region.Start] = s.Is
				if s.Is == arch.CallSlot {
					r.CallAt = r.Trampoline + at - region.Start
				}
			}
		}
	}
	size := region.End - region.Start
	if uint64(len(c.code)) < size {
		c.find(MissesReturn, r.Trampoline, region.Start, "the trampoline is shorter than the code that it is a copy of",
			fmt.Sprintf("its memory has %#x bytes, %s..%s %#x", len(c.code), region.Label, region.EndLabel, size))
		return
	}
	c.instructions(size)
	c.appended(size)
	c.copies(size)
	if r.Called && r.X2 != r.Ops && !slices.ContainsFunc(r.Diffs, func(d Diff) bool { return d.Kind == OpsWrong }) {
		c.find(OpsWrong, cmpOr(r.Literal, r.Trampoline), 0, "the callback gets another ops than the trampoline's own",
			fmt.Sprintf("RDX is %#x at the callback, the ops is %#x", r.X2, r.Ops))
	}
	if r.Situation == Near {
		c.rest(a)
	}
}

func cmpOr(a, b uint64) uint64 {
	if a != 0 {
		return a
	}
	return b
}

// find adds a difference at an address of the trampoline, whose instruction in the
// template is at origin.
func (c *copied) find(kind DiffKind, at, origin uint64, what string, facts ...string) {
	d := Diff{Kind: kind, At: at, Origin: origin, What: what, Facts: facts}
	if origin != 0 {
		d.Where = fmt.Sprintf("%s+%#x", c.region.Label, origin-c.region.Start)
	}
	if e := c.r.Writer(at); e != nil {
		d.PC = e.PC
	} else {
		d.PC = c.r.Copied() // what is missing ought to be behind the copy
	}
	c.r.Diffs = append(c.r.Diffs, d)
}

// blame has the last difference be where the byte at an offset was written. Builders
// often write an operand alone, whose last byte is the last of its instruction.
func (c *copied) blame(off uint64) {
	if e := c.r.Writer(c.r.Trampoline + off); e != nil {
		c.r.Diffs[len(c.r.Diffs)-1].PC = e.PC
	}
}

// template are n bytes of the entry code from an address on, as the processor has it.
func (c *copied) template(from uint64, n int) []byte {
	b := make([]byte, n)
	if c.Mem.Read(from, b) != nil {
		return c.Image.Code(from, n)
	}
	return b
}

// text is the instruction at an offset of the trampoline in words, with its place.
func (c *copied) text(off uint64) string {
	at := c.r.Trampoline + off
	words, _ := c.r.text(c.Image, c.code[off:], at)
	return fmt.Sprintf("`%s` at trampoline+%#x", words, off)
}

// origin is the instruction of the template at an offset in words, with its place.
func (c *copied) origin(off uint64) string {
	words, _ := c.Image.Arch().Text(c.template(c.region.Start+off, x64.MaxSize), c.region.Start+off, c.Image.Operand)
	return fmt.Sprintf("`%s` at %s+%#x", words, c.region.Label, off)
}

// instructions judges each instruction of the copy.
func (c *copied) instructions(size uint64) {
	for off := uint64(0); off < size; {
		from := c.region.Start + off
		code := c.template(from, x64.MaxSize)
		in, ok := x64.Decode(code)
		if !ok {
			c.all.ModelErr = fmt.Errorf("the template has an unknown instruction at %#x", from)
			return
		}
		if n := nops(c.template(from, int(size-off))); n > 0 && !c.hasSlot(off) {
			c.nops(off, n)
			off += n
			continue
		}
		c.instruction(off, &in, code[:in.Len])
		off += uint64(in.Len)
	}
}

// instruction judges the instruction at an offset; in and code are those of the
// template.
func (c *copied) instruction(off uint64, in *x64.Insn, code []byte) {
	at, from := c.r.Trampoline+off, c.region.Start+off
	got := c.code[off : off+uint64(in.Len)]
	is, hasRole := c.slots[off]
	if hasRole {
		switch is {
		case arch.OpLoad:
			c.opLoad(off, got)
			return
		case arch.CallSlot:
			c.callSlot(off, got)
			return
		case arch.DirectSlot:
			if !allNops(got) {
				c.find(Unexplained, at, from, "the branch to a direct call is not a NOP in the trampoline",
					c.text(off)+" stands there", "it goes outside the copy: "+c.origin(off))
			}
			return
		}
	}
	want := slices.Clone(code)
	if target, ok := in.Target(from); ok && in.PCRel > 0 && !(c.region.Start <= target && target < c.region.End) {
		if !x64.Retarget(want, at, target) {
			c.find(Unexplained, at, from, "an instruction of the copy cannot reach what it refers to", c.origin(off))
			return
		}
		if bytes.Equal(got, code) && !bytes.Equal(got, want) {
			aim, _ := in.Target(at)
			c.find(Escapes, at, from, fmt.Sprintf("`%s` at %s+%#x is copied unrewritten, so that the copy aims elsewhere", strings.ToLower(in.Op.String()), c.region.Label, off),
				c.origin(off)+fmt.Sprintf(" is copied to trampoline+%#x (%#x)", off, at),
				fmt.Sprintf("there it refers to %s; %s was meant", c.operand(aim), c.operand(target)))
			return
		}
	}
	if !bytes.Equal(got, want) {
		c.find(Unexplained, at, from, fmt.Sprintf("the instruction at trampoline+%#x differs from the model", off),
			c.text(off), "the model has "+c.origin(off))
	}
}

// operand is what an instruction refers to in words.
func (c *copied) operand(addr uint64) string {
	if n := c.Image.Operand(addr); n != "" {
		return fmt.Sprintf("%s (%#x)", n, addr)
	}
	return fmt.Sprintf("%#x", addr)
}

// nops is the number of bytes at the start of code that are NOPs.
func nops(code []byte) (n uint64) {
	for n < uint64(len(code)) {
		in, ok := x64.Decode(code[n:])
		if !ok || in.Kind != x64.Nop {
			break
		}
		n += uint64(in.Len)
	}
	return n
}

func allNops(code []byte) bool { return nops(code) == uint64(len(code)) }

func (c *copied) hasSlot(off uint64) bool {
	_, ok := c.slots[off]
	return ok
}

// nops judges n bytes at an offset, which are NOPs in the template. A builder may put
// other NOPs there, or a jump over them.
func (c *copied) nops(off, n uint64) {
	got := c.code[off : off+n]
	in, ok := x64.Decode(got)
	target, _ := in.Target(c.r.Trampoline + off)
	if allNops(got) || ok && in.Kind == x64.Jump && target == c.r.Trampoline+off+n {
		return
	}
	c.find(Unexplained, c.r.Trampoline+off, c.region.Start+off, fmt.Sprintf("the instruction at trampoline+%#x differs from the model", off),
		c.text(off), fmt.Sprintf("the model has NOPs there, %d bytes", n))
}

// opLoad judges the load of the trampoline's own ops.
func (c *copied) opLoad(off uint64, got []byte) {
	at, from := c.r.Trampoline+off, c.region.Start+off
	in, ok := x64.Decode(got)
	literal, relative := in.Target(at)
	if !ok || !relative || in.Op != x86asm.MOV || in.Args[0] != x86asm.RDX {
		c.find(OpsWrong, at, from, "the load of the ops is not one into RDX", c.text(off)+" stands there")
		return
	}
	c.r.Literal = literal
	if i := literal - c.r.Trampoline; i >= uint64(len(c.code)) || i+8 > uint64(len(c.code)) {
		c.find(OpsWrong, at, from, "the load of the ops reads outside the trampoline's memory", fmt.Sprintf("%s reads %s", c.text(off), c.Image.At(literal)))
		c.blame(off + uint64(len(got)) - 1)
	} else if v := binary.LittleEndian.Uint64(c.code[i:]); v != c.r.Ops {
		c.find(OpsWrong, literal, 0, "the literal is not the trampoline's own ops", fmt.Sprintf("trampoline+%#x holds %#x, the ops is %#x", i, v, c.r.Ops))
	}
}

// callSlot judges the call of the callback.
func (c *copied) callSlot(off uint64, got []byte) {
	want, _ := x64.EncodeCall(c.r.Trampoline+off, c.r.Func)
	if bytes.Equal(got, want[:]) {
		return
	}
	from := c.region.Start + off
	facts := []string{c.text(off) + " stands in the slot"}
	for i := 0; i+x64.CallSize <= len(c.code); i++ { // a CALL elsewhere?
		call, _ := x64.EncodeCall(c.r.Trampoline+uint64(i), c.r.Func)
		if bytes.Equal(c.code[i:i+x64.CallSize], call[:]) {
			facts = append(facts, fmt.Sprintf("the call of the callback is written to trampoline+%#x", i))
			break
		}
	}
	c.find(WrongSlot, c.r.Trampoline+off, from, "the callback's CALL is not in the slot of the copy", facts...)
	c.blame(off + uint64(len(got)) - 1)
}

// appended judges the return behind the copy.
func (c *copied) appended(size uint64) {
	at := c.r.Trampoline + size
	what := "the trampoline has no return behind the copy"
	if size >= uint64(len(c.code)) {
		c.find(MissesReturn, at-1, 0, what, "its memory ends there")
		return
	}
	in, ok := x64.Decode(c.code[size:])
	target, _ := in.Target(at)
	thunk := uint64(0)
	if s := c.thunk(); s != nil {
		thunk, _ = c.Image.Uint64(s.Value)
	}
	switch {
	case ok && in.Kind == x64.Ret && !c.r.Thunk:
		c.behindReturn(size + uint64(in.Len))
	case ok && in.Kind == x64.Jump && target == thunk && thunk != 0:
	case ok && in.Kind == x64.Ret:
		c.find(Unexplained, at, 0, "the trampoline returns by RET, where mitigations ask for the return thunk",
			c.text(size), "X86_FEATURE_RETHUNK is set")
	case ok && in.Kind == x64.Jump && bytes.HasPrefix(c.Image.Code(c.region.End, x64.MaxSize), c.code[size:size+uint64(in.Len)]):
		c.find(Escapes, at, c.region.End, "the entry code's own return is copied unrewritten, so that the copy aims elsewhere",
			c.text(size), "the template has "+c.origin(size))
	default:
		c.find(MissesReturn, at, 0, what, c.text(size)+" stands there")
	}
	c.r.Code = size + uint64(in.Len)
}

// behindReturn judges what the builder writes behind RET, if it writes there: INT3, which
// keeps the processor from executing ahead what lies there ("x86: Prepare asm files for
// straight-line-speculation").
func (c *copied) behindReturn(off uint64) {
	at := c.r.Trampoline + off
	if off >= uint64(len(c.code)) || at == c.r.Literal || c.code[off] == x64.OpInt3 {
		return
	}
	if e := c.r.Writer(at); e != nil && e.Addr != c.r.Trampoline {
		c.find(Unexplained, at, 0, "the byte behind the trampoline's return is not INT3", fmt.Sprintf("it is %#02x", c.code[off]))
	}
}

// copies judges how much of the entry code is copied.
func (c *copied) copies(size uint64) {
	for i := range c.r.Events {
		e := &c.r.Events[i]
		if e.Kind != world.Copy || e.Err || e.From != c.region.Start || e.Size <= size {
			continue
		}
		c.r.Diffs = append(c.r.Diffs, Diff{Kind: PastReturn, At: c.r.Trampoline + size, PC: e.PC, Origin: c.region.End, Where: c.region.EndLabel,
			What:  fmt.Sprintf("the builder copies %d bytes past %s", e.Size-size, c.region.EndLabel),
			Facts: []string{fmt.Sprintf("%s() copies %#x bytes, %s..%s is %#x", e.Func, e.Size, c.region.Label, c.region.EndLabel, size)}})
	}
}

// rest judges size, permissions, and where the memory is from.
func (c *copied) rest(a *world.Area) {
	r := c.r
	note := func(kind world.EventKind, what string, facts ...string) {
		d := Diff{Kind: Unexplained, At: r.Trampoline, PC: c.all.Builder, What: what, Facts: facts}
		for i := range r.Events {
			if e := &r.Events[i]; e.Kind == kind {
				d.PC = e.PC
			}
		}
		r.Diffs = append(r.Diffs, d)
	}
	if perm := a.PermAt(r.Trampoline); perm&emu.Exec == 0 {
		note(world.Protect, "the trampoline's page is not executable when the builder returns", fmt.Sprintf("the page at %#x is %v", r.Trampoline, perm))
	}
	if avail := a.Addr + uint64(len(a.Perms))*emu.PageSize - r.Trampoline; r.Size < r.Code || r.Size > avail {
		note(world.Alloc, fmt.Sprintf("ops->trampoline_size is %#x, which is wrong", r.Size), fmt.Sprintf("the code alone is %#x bytes, the memory %#x", r.Code, avail))
	}
	for i := range r.Events {
		if e := &r.Events[i]; e.Kind == world.Alloc && e.From < c.table.Arch.Modules.Base && !strings.HasPrefix(e.Func, "module_alloc") && !strings.HasPrefix(e.Func, "execmem_alloc") {
			note(world.Alloc, fmt.Sprintf("the trampoline's memory comes from %s(), which can be out of CALL's reach", e.Func),
				"CALL reaches 2 GiB; the memory of execmem_alloc() and module_alloc() lies within that of the kernel")
		}
	}
}

// codeCells are the cells of a trampoline whose instructions differ in size: its code,
// and the pointer to its ops.
func (r *Run) codeCells(im *elfscan.Image) (cells []Cell) {
	a := r.Area(r.Trampoline)
	code := a.Bytes[min(r.Trampoline-a.Addr, uint64(len(a.Bytes))):]
	code = code[:min(r.Size, uint64(len(code)))]
	region, _ := im.Addr(r.Variant())
	end, _ := im.Addr(r.Variant() + "_end")
	for off := uint64(0); off < uint64(len(code)); {
		at := r.Trampoline + off
		if at == r.Literal && off+8 <= uint64(len(code)) {
			v := binary.LittleEndian.Uint64(code[off:])
			cells = append(cells, Cell{At: at, Size: 8, Word: v, Text: fmt.Sprintf(".quad %#x", v), Literal: true, Differs: v != r.Ops, Writer: -1})
			off += 8
			continue
		}
		rest := code[off:]
		if r.Literal > at {
			rest = rest[:min(uint64(len(rest)), r.Literal-at)]
		}
		text, size := r.text(im, rest, at)
		cell := Cell{At: at, Size: uint64(size), Code: rest[:size], Text: text, Writer: -1}
		if region+off < end {
			if n, ok := im.SymbolAt(region + off); ok && n.Addr == region+off {
				cell.Label = n.Name
			}
			cell.Origin, cell.From = region+off, fmt.Sprintf("%s+%#x", r.Variant(), off)
		}
		for i := range r.Diffs {
			if d := &r.Diffs[i]; d.At == at {
				cell.Differs, cell.Diffs = true, append(cell.Diffs, i)
			}
		}
		cells = append(cells, cell)
		off += uint64(size)
	}
	return cells
}

// text is the instruction at the start of code, at an address of the run, in words.
func (r *Run) text(im *elfscan.Image, code []byte, at uint64) (text string, size int) {
	return im.Arch().Text(code, at, func(a uint64) string {
		switch {
		case a == r.Func:
			return "the callback"
		case r.Area(a) != nil:
			return fmt.Sprintf("trampoline+%#x", a-r.Trampoline)
		}
		return im.Operand(a)
	})
}

// SlotText is the instruction in the slot of the callback's call in words; "" if the
// slot is not known.
func (r *Run) SlotText(im *elfscan.Image) string {
	a := r.Area(r.CallAt)
	if a == nil || r.CallAt-a.Addr >= uint64(len(a.Bytes)) {
		return ""
	}
	text, _ := r.text(im, a.Bytes[r.CallAt-a.Addr:], r.CallAt)
	return text
}
