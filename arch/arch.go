// Package arch holds what differs between architectures, as plain values: the
// ELF machine, the shapes of callsites, the eras of ftrace with their labels
// and the paths through their entry code, the registers that calls keep, and
// the names of the functions that patch text. Each architecture is one value.
// The package has no logic of ftrace.
package arch

import (
	"debug/elf"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/x64"
)

// An Arch is one architecture.
type Arch struct {
	Name    string // as the kernel's arch/ names it
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data

	InsnSize uint64    // what the address of an instruction is a multiple of, in bytes
	CallSize uint64    // bytes of the branch at a callsite
	CallInsn string    // that branch, in words
	Call     a64.Reach // how far that branch reaches from its own address
	PageSize uint64    // of the kernel, in bytes; 0: an image says which
	Objects  uint64    // an address where the kernel can have objects; 0: where package world has them
	Syscall  string    // the beginning of the names of system calls

	Relocs Relocs
	// Text is the instruction at the start of code, at pc, in the assembler's words,
	// and its size in bytes. name gives an address in words; it may be nil.
	Text func(code []byte, pc uint64, name func(addr uint64) string) (text string, size int)

	// Insn is the instruction at the start of code, at pc. ok is false if the bytes
	// are no instruction that is known.
	Insn func(code []byte, pc uint64) (in Insn, ok bool)
	// OpLoad is the address that the load of function_trace_op at the start of code,
	// at pc, loads from. ok is false if no such load stands there.
	OpLoad func(code []byte, pc uint64) (from uint64, ok bool)
	// Thunk begins the names of the functions by which compilers call through a
	// register; "" if they do so by an instruction.
	Thunk string
	// ReturnThunk is what compilers jump to instead of returning; "" if they do not.
	ReturnThunk string
	// TakesLock gives a function that is called with the code of each instruction of a
	// function, in order, and reports whether it may take a lock against recursion.
	TakesLock func() func(code []byte) bool
	OpInsn    string   // such a load, in words
	Args      []string // the registers in which functions get their arguments
	OpsArg    string   // that in which a callback gets its ops
	MaxInsn   int      // size of the largest instruction, in bytes

	// EncodeCall and EncodeJump are the branches that ftrace writes to slots, at pc. ok
	// is false if target is out of reach. Nop has their size, and does nothing.
	EncodeCall, EncodeJump func(pc, target uint64) (code []byte, ok bool)
	Nop                    []byte

	Eras   []*Era   // all but None
	Shapes []*Shape // the shapes that callsites can have

	// EntryPoints are the symbols at which entry code is entered, in all eras.
	EntryPoints []string
	// CallSlot and GraphSlot are the labels of the two instructions that ftrace
	// patches in entry code: the call of the callback, and the branch to fgraph.
	// CallSlots are all of the first kind.
	CallSlot, GraphSlot string
	CallSlots           []string
	// GraphOff is where GraphSlot jumps to while fgraph is off; "" if a NOP is there
	// then. The switch refuses to change anything else.
	GraphOff string
	// GraphHook is the callback of the graph tracer, where that is a callback like
	// any other. GraphEnter are the names of the core's function that it, or an older
	// hook, asks whether a traced call is recorded. A kernel has one or two of them.
	GraphHook  string
	GraphEnter []string
	// Regions are the parts of a dynamic trampoline's template.
	Regions []Region
	// AppendsReturn reports whether the builder appends a return to what it copies.
	// End labels then stand on the entry code's own, which is not copied.
	AppendsReturn bool
	// Tables are the tables of the kernel with entries that point at code, and do not
	// apply to a copy of it.
	Tables []Table

	Pads Pads
	Type TypeCode

	// Boundaries are the symbols at which the kernel's own mapping of itself changes
	// permissions. Mappers are the functions that map it, in whose code the compiler
	// puts the addresses of boundaries that count; empty if all do.
	Boundaries, Mappers []string

	// Live are the numbers of the general registers that the traced function
	// needs back at a callsite. Saved are those that every function gives back
	// to its caller.
	Live, Saved []int

	// Current, Preempt and Canary are the places, in the memory that the kernel copies for
	// each processor, of the pointer to the task that runs, of the number of reasons not
	// to schedule another, which has 4 bytes, and of what the stack protector compares.
	// They are empty if none is there.
	Current, Preempt, Canary []PerCPU

	Patching Patching
	Modules  Modules
	Returns  Returns
	Options  Options
}

// PerCPU is a variable of a processor, by a symbol and an offset in bytes. Of several,
// the first whose symbol the image has counts.
type PerCPU struct {
	Symbol string
	Offset uint64
}

// Options are, in words, what a kernel must be built with to have what is said.
type Options struct {
	CallOps   string // an ops for each callsite; "" if no kernel of the architecture has that
	Direct    string // direct calls
	Livepatch string
}

// An Insn is an instruction, as far as the flow of execution is concerned.
type Insn struct {
	Size   uint64 // in bytes
	Flow   Flow
	Target uint64 // of Calls, Jumps and JumpsIf: where it goes
}

// Flow is what an instruction does to the flow of execution.
type Flow uint8

const (
	GoesOn     Flow = iota
	DoesNought      // a NOP
	Calls           // directly
	Jumps           // directly
	JumpsIf         // directly, or goes on
	CallsAway       // through a register or memory
	JumpsAway       // through a register or memory
	Leaves          // returns
	Traps           // BUG(), and WARN(), behind which execution goes on
)

var flowNames = [...]string{"other", "a NOP", "a call", "a jump", "a conditional jump", "an indirect call", "an indirect jump", "a return", "a trap"}

func (f Flow) String() string { return flowNames[f] }

// Ends reports whether execution does not go on at the next instruction.
func (f Flow) Ends() bool { return f == Jumps || f == JumpsAway || f == Leaves }

// A Region names a part of a template by the labels at its start and its end, and
// the instructions in it that builders and tracers change.
type Region struct {
	Start, End string
	Slots      []Slot
}

// A Slot is an instruction of a region, by its label.
type Slot struct {
	Label string
	Is    SlotKind
}

// SlotKind says what a slot is for.
type SlotKind uint8

const (
	OpLoad     SlotKind = iota // loads function_trace_op
	CallSlot                   // calls the callback, or does nought
	GraphSlot                  // jumps to fgraph's code, or does nought
	DirectSlot                 // jumps to the direct call if there is one, or does nought
)

var slotFlows = [...]Flow{GoesOn, Calls, Jumps, JumpsIf}

// Takes reports whether an instruction that does this can stand in such a slot.
func (k SlotKind) Takes(f Flow) bool { return f == slotFlows[k] || k != OpLoad && f == DoesNought }

// Flow is what the instruction of such a slot does, unless it does nought.
func (k SlotKind) Flow() Flow { return slotFlows[k] }

// A Table is a table whose entries begin with the signed 32-bit offset from the
// entry to code.
type Table struct {
	What        string // what an entry is
	Lost        string // what an entry does not do for a copy of the code
	Start, Stop string // symbols
	Sizes       []int  // possible sizes of an entry in bytes, newest first
	Length      int    // offset from the end of an entry of the byte with the number of bytes of code that it covers; 0 if it covers one instruction
	Section     string // the table's section in a module; "" if the table does not replace NOPs
}

// Patching names the kernel's functions that read, write and make
// instructions.
type Patching struct {
	Read, Write, WriteLiteral []string
	Interface                 string // of those that write, the one to name to people
	Copy                      string // copies into text, the one to name to people
	// WriteBytes are called with an address, the address of the bytes that are to stand
	// there, and their number.
	WriteBytes    []string
	Locked        []string // of WriteBytes, those that are called with Lock
	Emulating     []string // of WriteBytes, those whose fourth argument is what to emulate: NULL, or the bytes again
	Early         []string // of WriteBytes, those that are for code that no other processor executes
	Lock          string   // the mutex that the core has taken where it changes code; "" if its callers need none
	Late          string   // a variable that says, while Lock is taken, that other processors may execute callsites
	Finish        []string // the functions that finish what is kept in a queue
	Sleeps        bool     // the architecture has the core sleep while it changes callsites
	Synced        string   // of Write, the one that maintains the instruction cache, and refuses a misaligned address
	Makers        []string // makers of instructions that ftrace calls
	MakerPrefixes []string // beginnings of the names of all makers
	Branch        string   // the maker of branches
}

// Relocs are the types of relocations of 64-bit words of data.
type Relocs struct {
	Relative uint32   // of a linked image: the addend is the value
	Absolute []uint32 // symbol and addend; the first is what a table of addresses has
	Delta    []uint32 // the same, less the place
	None     []uint32
	Branches []uint32 // of branches that a module's PLT can serve
}

// Modules names the parts of a module that are for ftrace.
type Modules struct {
	// Base is the lowest address of modules, End the first behind them; 0 if that
	// depends on the image.
	Base, End uint64
	// Tables are the sections that can list a module's callsites. The loader
	// takes the first of them that the module has.
	Tables []string
	// PLT is the section with the PLT entries for ftrace of a module's text.
	// InitPLT is the same for its init text.
	PLT, InitPLT string
	// Called are the functions of a module that the kernel calls by pointers, as far as
	// landing pads of these are judged.
	Called []string
	// PLTEntry is the size of a PLT entry, in bytes.
	PLTEntry uint64
}

// Returns names the functions by which kretprobes and rethooks have a probed
// function return to the kernel. In a list, the first that an image has counts.
type Returns struct {
	Prepare     []string // saves the return address, and puts the trampoline in its place
	Trampolines []string // where the probed function returns to
	Handlers    []string // what the trampoline calls
	// BreakHandlers are for trampolines that are a BRK with the immediate Break.
	// Dispatch(esr, regs) calls them for that BRK.
	BreakHandlers []string
	Break         uint64
	Dispatch      string
	Core          []string  // what the handlers call: runs the probes, returns the return address
	Busy          [2]string // what a handler calls before and behind Core
	Fixup         []string  // called with each return address that Core finds
	// An image with Recover unwinds through the trampoline: it looks for the
	// return address by the frame pointer.
	Recover string
	// An image with Hashed has other offsets than the rest of saved return addresses.
	Hashed           string
	Saved, HashSaved Saved
}

// Saved are the offsets in bytes of what Prepare saves.
type Saved struct{ Return, Frame uint64 }

// A Shape is a pattern of the words at a callsite.
type Shape struct {
	Text string // in the assembler's words
	// Words is the number of words from the callsite's entry on, without a
	// landing pad.
	Words int
	// Literal is the distance in bytes from the pointer to the ops, where the
	// callsite's entry is, to the function behind it. It is 0 if the shape has
	// no such pointer.
	Literal uint64
	// SavesLR reports whether the word before the call saves the link register.
	SavesLR bool
	// Tracer is the function that the callsite calls as it is built, where it is one
	// instruction; "" if it is built as NOPs.
	Tracer string
	// Size is the size of that instruction, where instructions differ in size, in
	// bytes; 0 if all are words.
	Size uint64
}

// Places are the distances in bytes from a function to the entries in the table that
// its callsite can have.
func (s *Shape) Places() []uint64 {
	switch {
	case s.Size != 0:
		return []uint64{0, uint64(len(x64.Endbr))} // behind a landing pad
	case s.Literal != 0:
		return []uint64{-s.Literal}
	}
	return []uint64{0, a64.Size} // behind a landing pad
}

// AtEntry reports whether the callsite stands at the entry of its function, and not
// behind the prologue.
func (s *Shape) AtEntry() bool { return s.SavesLR || s.Size != 0 }

// String is the shape in the assembler's words. A nil Shape is an unknown one.
func (s *Shape) String() string {
	if s == nil {
		return "unknown"
	}
	return s.Text
}

// An Era is a generation of an architecture's ftrace: what the callsites and
// the entry code look like. Eras are told apart by symbols and by the
// callsites, never by a kernel's version.
type Era struct {
	Name  string
	Shape *Shape // of its callsites; nil in None

	// An image that has one of Symbols is of this era. Eras without Symbols are
	// told apart by the shape of the callsites. An image without callsites is of
	// the first such era in Eras whose Hint is a symbol of the image or "".
	Symbols []string
	Hint    string
	// Unknown marks one era among those whose callsites are alike. A module of
	// an unknown kernel counts as a module of that era.
	Unknown bool

	Labels []Label
	Paths  []Path // through the entry code

	Indirect []Indirect

	// Regs is where the entry code leaves the callsite's registers for the
	// callback; nil if the callback gets neither registers nor an ops.
	Regs *Regs
	// Slot reports whether the callback is called from the patched slot
	// CallSlot. Otherwise it is called through the ops.
	Slot bool
	// Template reports whether the era has dynamic trampolines, which are copies
	// of the entry code.
	Template bool
	// Far says how a callsite is enabled whose target is out of its reach and
	// not entry code.
	Far Far
}

func (e *Era) String() string { return e.Name }

// Far says how the kernel handles a target out of reach that is not entry code.
type Far uint8

const (
	FarUnknown Far = iota // the era's kernels differ
	FarRefused            // an error is returned
	FarByOps              // the callsite goes to ftrace_caller, which finds the target by the ops
)

// None is the era of an image that has no ftrace, or whose era cannot be told.
var None = &Era{Name: "none"}

// Regs are the offsets of a callsite's registers, in bytes from the address
// that the callback gets.
type Regs struct {
	FP, LR, SP, PC uint64 // X0 and the registers after it are at 0, 8, and so on
	Direct         uint64 // the address of the direct trampoline; 0 if the era has no such member
	PState         uint64 // 0 if the era has no such member
	Stacked        bool   // there is no LR: the return address is on the stack, at SP
}

// A Path is a way through the entry code.
type Path struct {
	How   How
	Entry string // the symbol where it begins
}

// An Indirect is an entry point that an indirect branch reaches.
type Indirect struct {
	Symbol string // the entry point
	From   string // the branch, in words
	// Accepts reports whether the instruction at the start of code accepts the branch.
	Accepts func(code []byte) bool
}

// A Pointer is a variable whose first word is the address of a function that an
// indirect branch reaches.
type Pointer struct {
	Symbol string
	From   string // the branch, in words
}

// Pads are the landing pads of indirect branches.
type Pads struct {
	Feature   string                 // what a kernel is built with to have them
	Insn      string                 // the ordinary one
	Exception string                 // what a branch to code without one is, in words
	Accepts   func(code []byte) bool // the ordinary one stands at the start of code

	// Late says of a function whose landing pad is behind its callsite what an
	// indirect call of it comes to. BehindSite is the callsite in words, LateFix what
	// to do about it.
	Late, BehindSite, LateFix string

	// Pointers are variables of the kernel. Removed are the symbols around a table of
	// landing pads that the kernel removes when it boots, as signed 32-bit offsets from
	// the entries; "" if it removes none.
	Pointers []Pointer
	Removed  [2]string
	// Veneer reports whether a symbol is a linker's veneer, which goes on by an
	// indirect branch; nil if linkers make none.
	Veneer func(symbol string) bool
}

// A TypeCode is what kCFI looks at where a function is called by a pointer: Code is what
// holds the type, and stands in the last bytes before the function, Before of them.
type TypeCode struct {
	Before uint64
	Code   func(typ uint32) []byte
}

// How says what happens on a path. Paths that begin at the same symbol differ
// in it.
type How uint8

const (
	Callback        How = iota // the callback changes nothing
	Redirect                   // the callback changes arguments, return address and where execution goes on
	Graph                      // fgraph is on
	Direct                     // the ops has a direct call
	LateDirect                 // the callback sets a direct call
	StubDirect                 // the path begins at the direct trampoline that does nothing
	ReturnToHandler            // the path begins where a function that fgraph traces returns to
)

var howNames = [...]string{"", ", redirected by the callback", ", fgraph", ", direct call", ", direct call set by the callback", "", ""}

// String names the path: "ftrace_caller, direct call".
func (p Path) String() string { return p.Entry + howNames[p.How] }

// A Label is a symbol that ftrace's entry code or the builder of trampolines
// needs. All labels stand in kernel text. Symbols of data (function_trace_op,
// the boundaries of the callsite table) are not listed, because images whose
// symbols come from kallsyms may lack them.
type Label struct {
	Name     string
	Role     string // the code at the label, in one line
	Needs    string // the label is needed only if this symbol is in the image; "": always in this era
	Unless   string // the label is not needed if this symbol is in the image
	NeededBy string // the code that breaks without the label
}

// NeededIn reports whether an image that has these symbols needs the label.
func (l Label) NeededIn(has func(symbol string) bool) bool {
	return (l.Needs == "" || has(l.Needs)) && (l.Unless == "" || !has(l.Unless))
}
