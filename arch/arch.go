// Package arch holds what differs between architectures, as plain values: the
// ELF machine, the shapes of callsites, the eras of ftrace with their labels
// and the paths through their entry code, the registers that calls keep, and
// the names of the functions that patch text. Each architecture is one value.
// The package has no logic of ftrace.
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
	Call     a64.Reach // how far the branch at a callsite reaches from its own address

	Eras   []*Era   // all but None
	Shapes []*Shape // the shapes that callsites can have

	// EntryPoints are the symbols at which entry code is entered, in all eras.
	EntryPoints []string
	// CallSlot and GraphSlot are the labels of the two instructions that ftrace
	// patches in entry code: the call of the callback, and the branch to fgraph.
	CallSlot, GraphSlot string
	// GraphHook is the callback of the graph tracer, where that is a callback like
	// any other. GraphEnter are the names of the core's function that it, or an older
	// hook, asks whether a traced call is recorded. A kernel has one or two of them.
	GraphHook  string
	GraphEnter []string
	// Regions are the parts of a dynamic trampoline's template.
	Regions []Region
	// OpLoad is the label on the load of function_trace_op in a template.
	OpLoad string

	// Live are the numbers of the general registers that the traced function
	// needs back at a callsite. Saved are those that every function gives back
	// to its caller.
	Live, Saved []int

	Patching Patching
	Modules  Modules
	Returns  Returns
}

// A Region names a part of a template by the labels at its start and its end.
type Region struct{ Start, End string }

// Patching names the kernel's functions that read, write and make
// instructions.
type Patching struct {
	Read, Write, WriteLiteral []string
	Synced                    string   // of Write, the one that maintains the instruction cache, and refuses a misaligned address
	Makers                    []string // makers of instructions that ftrace calls
	MakerPrefixes             []string // beginnings of the names of all makers
	Branch                    string   // the maker of branches
}

// Modules names the parts of a module that are for ftrace.
type Modules struct {
	// Tables are the sections that can list a module's callsites. The loader
	// takes the first of them that the module has.
	Tables []string
	// PLT is the section with the PLT entries for ftrace of a module's text.
	// InitPLT is the same for its init text.
	PLT, InitPLT string
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
}

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
	Branch a64.BranchType
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
