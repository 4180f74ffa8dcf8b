package patching

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/world"
)

// A maker is a function of the kernel that makes an instruction, or takes one
// apart.
type maker struct {
	name string
	// ftrace reports whether ftrace and its PLTs use the maker. The BPF JIT uses
	// all others.
	ftrace bool
	typed  bool // it takes enumerators whose values differ between kernels
	takes  bool // it takes an instruction apart: the result is a number
	// cases calls try with arguments and with the word that the maker must
	// return.
	cases func(c *cases)
}

// A Wrong is a maker that returns another word than that of the Arm ARM.
type Wrong struct {
	Func      string
	Fn        uint64
	Args      []uint64
	Got, Want uint32
	Number    bool     // they are numbers, not instructions
	Diffs     []string // what the maker does beside that and must not
	Count     int      // number of the maker's cases with a wrong word
	Err       error    // not nil: it could not be executed to the end
}

// Made are the results of executing the makers.
type Made struct {
	None     error // why nothing could be executed: a *world.Lack, or nil
	Wrong    []Wrong
	Makers   int // that were executed
	Executed int // calls
	Skipped  []string
}

// An amount is how many operands a maker is executed with.
type amount int

const (
	few   amount = iota // some edges of the domains
	edges               // all edges
	many                // and what lies between
)

// cases executes a maker.
type cases struct {
	w       *world.World
	types   *ktypes.Types // nil: not read, or not known
	amount  amount
	made    *Made
	fn      elfscan.Symbol
	wrong   *Wrong
	unknown bool   // the value of an enumerator is not known
	free    uint32 // bits of the word that do not matter
	takes   bool   // the maker takes an instruction apart
}

// Make executes the makers of the image: those that ftrace uses with operands at
// the edges of their domains, those of the BPF JIT with few, or if exhaustive, all
// with many. guarded is as of Execute.
func Make(im *elfscan.Image, guarded, exhaustive bool) *Made {
	if _, ok := im.Addr(encoder); !ok {
		return &Made{None: &world.Lack{What: "the image has no " + encoder + ": its makers of instructions are not those of arch/arm64/lib/insn.c"}}
	}
	c := newCases(im, guarded)
	for i := range makers {
		c.execute(&makers[i], exhaustive)
	}
	return c.made
}

// newCases prepares the execution of makers. guarded is as of Execute.
func newCases(im *elfscan.Image, guarded bool) *cases {
	c := &cases{w: world.New(im), made: &Made{}}
	c.w.AtCall, c.w.M.Guarded = c.atCall, guarded
	return c
}

// execute executes a maker, if the image has it.
func (c *cases) execute(m *maker, exhaustive bool) {
	fn, ok := c.w.Image.Lookup(m.name)
	if !ok || !c.w.Image.IsText(fn.Addr) || m.typed && !exhaustive { // types take long to read
		return
	}
	switch {
	case exhaustive:
		c.amount = many
		if c.types == nil {
			c.types = typesOf(c.w.Image)
		}
	case m.ftrace:
		c.amount = edges
	default:
		c.amount = few
	}
	c.made.Makers++
	c.fn, c.wrong, c.unknown, c.free, c.takes = fn, nil, false, 0, m.takes
	m.cases(c)
	if c.unknown {
		c.made.Skipped = append(c.made.Skipped, m.name+" (the values of its types are not known: no BTF)")
	}
}

// atCall judges a message: it must be one that can be printed, and a stack trace
// from there must come back.
func (c *cases) atCall(name string) {
	if diff := c.w.Unwinds(name); diff != "" {
		c.w.Fault(c.w.PC(), "%s", diff)
	}
	if slices.Contains(world.Printers, name) {
		if bad := c.w.BadMessage(c.w.Arg(0), c.w.M.X[1:8]); bad != "" {
			c.w.Fault(c.w.PC(), "prints a bad message: %s", bad)
		}
	}
}

// encoder is what all makers with an immediate call.
const encoder = "aarch64_insn_encode_immediate"

// typesOf are the kernel's types, from BTF or else from the DWARF of the makers;
// nil if neither describes them.
func typesOf(im *elfscan.Image) *ktypes.Types {
	t, err := ktypes.FromBTF(im)
	if fn, ok := im.Addr("aarch64_insn_gen_load_store_reg"); ok && (t == nil || err != nil) {
		t, err = ktypes.FromDWARF(im, fn)
	}
	if err != nil {
		return nil
	}
	return t
}

// enum is the value of an enumerator; ok is false if it is not known.
func (c *cases) enum(name string) (v uint64, ok bool) {
	if c.types == nil {
		return 0, false
	}
	n, err := c.types.Enumerator("AARCH64_INSN_" + name)
	return uint64(n), err == nil
}

// value is enum. A case that needs one that is not known is not executed.
func (c *cases) value(name string) (v uint64, ok bool) {
	v, ok = c.enum(name)
	c.unknown = c.unknown || !ok
	return v, ok
}

// try calls the maker. ok is false if there is no instruction with these operands:
// the maker must then return BreakFault.
func (c *cases) try(want uint32, ok bool, args ...uint64) {
	if !ok {
		want = a64.BreakFault
	}
	if c.wrong != nil && (c.wrong.Err != nil || len(c.wrong.Diffs) > 0) {
		return
	}
	c.made.Executed++
	ret, _, err := c.w.Execute(world.Subject{Name: c.fn.Name, Fn: c.fn.Addr, Args: args})
	c.w.Events = c.w.Events[:0]
	if err == nil && (uint32(ret)^want)&^c.free == 0 && len(c.w.Faults) == 0 {
		return
	}
	if c.wrong != nil {
		c.wrong.Count++
		return
	}
	c.made.Wrong = append(c.made.Wrong, Wrong{Func: c.fn.Name, Fn: c.fn.Addr, Args: args, Got: uint32(ret), Want: want, Number: c.takes, Count: 1})
	c.wrong = &c.made.Wrong[len(c.made.Wrong)-1]
	if err != nil {
		if proof := endsBadly(err); proof != "" {
			c.w.Fault(c.fn.Addr, "%s", proof)
		} else {
			c.wrong.Err = err
		}
	}
	for _, f := range c.w.Faults {
		c.wrong.Diffs = append(c.wrong.Diffs, f.What)
	}
	if err != nil || len(c.w.Faults) > 0 {
		c.w.Reset()
	}
}

// PC is the address that the instruction is for, as far as the arguments say.
func (w *Wrong) PC() uint64 {
	if len(w.Args) > 0 && w.Args[0]&^0xffff == pcOf&^0xffff {
		return w.Args[0]
	}
	return 0
}

// Call is the call of the maker that went wrong, in words.
func (w *Wrong) Call() string {
	text := ""
	for i, a := range w.Args {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%#x", a)
	}
	return w.Func + "(" + text + ")"
}

// Operands at the edges of what a field holds, or many.

// regs are numbers of registers, with one that does not exist.
func (c *cases) regs() []uint64 {
	switch c.amount {
	case few:
		return []uint64{31, 32}
	case edges:
		return []uint64{0, 1, 2, 4, 8, 9, 16, 21, 30, 31, 32}
	}
	var all []uint64
	for i := uint64(0); i < 32; i++ {
		all = append(all, i)
	}
	return append(all, 32)
}

// upTo are the numbers below n, or those at the edges of fields of 5 and 6 bits.
func (c *cases) upTo(n uint64) (list []uint64) {
	for i := range n {
		if edge := (i+1)&^1 == 32 || (i+1)&^1 == 64 || i == 0; edge || c.amount > few {
			list = append(list, i)
		}
	}
	return list
}

// offsets are distances around those that a field of n bits with the given step,
// in bytes, can hold: powers of two, and the edges.
func (c *cases) offsets(n uint, step int64) (list []int64) {
	limit := int64(1) << (n - 1) * step
	list = []int64{0, limit - step, limit, -limit, -limit - step}
	if c.amount == few {
		return append(list, -step)
	}
	list = append(list, limit+step, -limit+step, 2*limit, -2*limit, 4*limit+step)
	for d := step; d < limit; d *= 2 {
		list = append(list, d, -d)
		if c.amount == many {
			list = append(list, d+step, -d-step, 3*d, limit-d, d-limit)
		}
	}
	return list
}

// bits are numbers of n bits: each bit alone, all, and two patterns.
func (c *cases) bits(n uint) (list []uint64) {
	all := uint64(1)<<n - 1
	list = []uint64{0, all, 0x5555_5555_5555_5555 & all, 0xaaaa_aaaa_aaaa_aaaa & all}
	if c.amount == few {
		return list
	}
	for i := range n {
		list = append(list, 1<<i)
		if c.amount == many {
			list = append(list, all&^(1<<i), all>>i)
		}
	}
	return list
}

var both = []bool{false, true}

// variant is enum aarch64_insn_variant.
func variant(wide bool) uint64 {
	if wide {
		return 1
	}
	return 0
}

// pcOf is where instructions are made for: in text, and not at the start of a
// page.
const pcOf = 0xffff_8000_0812_3ac4

// badPCs are the addresses of which a maker of branches must say that there is no
// instruction there.
func (c *cases) badPCs(call func(pc, target uint64)) {
	for off := uint64(1); off < a64.Size; off++ {
		call(pcOf+off, pcOf+64+off)
		call(pcOf+off, pcOf+64)
		call(pcOf, pcOf+64+off)
	}
}

func far(d int64) uint64 { return pcOf + uint64(d) }
