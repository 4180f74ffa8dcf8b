// Package arch holds what differs between architectures, as plain values: the
// ELF machine, the shapes of callsites, the eras of ftrace with their labels
// and the paths through their entry code, the registers that calls keep, and
// the names of the functions that patch text. There is one value an
// architecture, and no logic of ftrace.
package arch

import (
	"debug/elf"

	"github.com/ftlint/ftlint/a64"
)

// An Arch is one architecture.
type Arch struct {
	Name    string // as the kernel's arch/ names it
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data

	InsnSize uint64    // bytes of an instruction
	Call     a64.Reach // of the branch at a callsite, from its own address

	Eras   []*Era   // all but None
	Shapes []*Shape // that callsites can have

	// EntryPoints are the symbols at which entry code is entered, in all eras.
	EntryPoints []string
	// CallSlot and GraphSlot are the labels of what ftrace patches in entry
	// code: the call of the callback, and the branch to fgraph.
	CallSlot, GraphSlot string
	// Regions are the labels of a dynamic trampoline's template, and those of
	// their ends.
	Regions []Region
	// OpLoad is the label on the load of function_trace_op in a template.
	OpLoad string

	// Live are the general registers that the traced function needs back at a
	// callsite, Saved those that every function gives back to its caller.
	Live, Saved []int

	Patching Patching
	Modules  Modules
}

// A Region is a part of a template, between two labels.
type Region struct{ Start, End string }

// Patching names the kernel's functions that read, write and make
// instructions.
type Patching struct {
	Read, Write, WriteLiteral []string
	Makers                    []string // that ftrace calls
	MakerPrefixes             []string // how the names of all makers begin
	Branch                    string   // the maker of branches
}

// Modules says what a module has for ftrace.
type Modules struct {
	// Tables are the sections that can list a module's callsites, the one that
	// goes before first.
	Tables []string
	// PLT is the section with the PLT entries for ftrace of a module's text,
	// InitPLT that of its init text.
	PLT, InitPLT string
	// PLTEntry is the size of a PLT entry, in bytes.
	PLTEntry uint64
}

// A Shape is what the words at a callsite look like.
type Shape struct {
	Text string // in the assembler's words
	// Words are how many words from the callsite's entry make it up, without a
	// landing pad.
	Words int
	// Literal is how many bytes before the function a pointer to the ops
	// stands, where the callsite's entry is; 0 for none.
	Literal uint64
	// SavesLR says that the word before the call saves the link register.
	SavesLR bool
}

// String is the shape in the assembler's words. A nil Shape is one that is not
// known.
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

	// Symbols tell the era: an image with one of them is of it. An era without
	// is told by the shape of the callsites and, where there are none to look
	// at, by Hint: the first in Eras whose Hint is in the image, or "".
	Symbols []string
	Hint    string
	// Unknown says that the era, of those whose callsites are alike, is that of
	// a module whose kernel is not known.
	Unknown bool

	Labels []Label
	Paths  []Path // through the entry code

	Indirect []Indirect

	// Regs is where the entry code leaves the callsite's registers for the
	// callback; nil if the callback is given none, and no ops.
	Regs *Regs
	// Slot says that the callback is called from the patched slot CallSlot, not
	// through the ops.
	Slot bool
	// Template says that the era's dynamic trampolines are copies of the entry
	// code.
	Template bool
	// Far is what enabling a callsite does with a target that is out of its reach
	// and not entry code.
	Far Far
}

func (e *Era) String() string { return e.Name }

// Far is what becomes of a target out of reach that is not entry code.
type Far uint8

const (
	FarUnknown Far = iota // the era's kernels differ
	FarRefused            // an error is returned
	FarByOps              // the callsite goes to ftrace_caller, which finds the target by the ops
)

// None is the era of an image that has no ftrace, or nothing that tells.
var None = &Era{Name: "none"}

// Regs is where the registers of a callsite are, in bytes from the address
// that the callback is given.
type Regs struct {
	FP, LR, SP, PC uint64 // the general registers stand before them, from 0 on
	Direct         uint64 // of the direct trampoline; 0 if there is none
}

// A Path is a way through the entry code.
type Path struct {
	How   How
	Entry string // the symbol where it begins
}

// An Indirect is an entry point that indirect branches reach, and from where.
type Indirect struct {
	Symbol, From string
	Branch       a64.BranchType
}

// How is what makes a path differ from the others of its entry.
type How uint8

const (
	Callback        How = iota // the callback changes nothing
	Redirect                   // the callback changes arguments, return address and where execution goes on
	Graph                      // fgraph is on
	Direct                     // the ops has a direct call
	LateDirect                 // the callback asks for a direct call
	StubDirect                 // the path begins at the direct trampoline that does nothing
	ReturnToHandler            // the path begins where a function that fgraph traces returns to
)

var howNames = [...]string{"", ", redirected by the callback", ", fgraph", ", direct call", ", direct call set by the callback", "", ""}

// String names the path: "ftrace_caller, direct call".
func (p Path) String() string { return p.Entry + howNames[p.How] }

// A Label is a symbol that ftrace's entry code or its builder needs. All of
// them stand in kernel text. Data (function_trace_op, the callsite table's
// borders) is not listed: images whose symbols come from kallsyms may lack it.
type Label struct {
	Name     string
	Role     string // one line: what stands there
	Needs    string // needed only if this symbol is in the image; "" = always in this era
	Unless   string // not needed if this symbol is in the image
	NeededBy string // what breaks without it
}

// NeededIn reports whether an image that has these symbols needs the label.
func (l Label) NeededIn(has func(symbol string) bool) bool {
	return (l.Needs == "" || has(l.Needs)) && (l.Unless == "" || !has(l.Unless))
}
