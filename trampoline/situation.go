package trampoline

import (
	"github.com/ftlint/ftlint/a64"
)

// A Situation says what is special about the world in which a builder of
// trampolines is executed. In the zero value everything is in reach, and nothing
// fails.
type Situation struct {
	Place Place
	Fails Failing
	Then  Then
}

// A Place says where memory and callbacks are.
type Place uint8

const (
	InReach        Place = iota // memory is in reach of everything
	AboveImage                  // memory is beyond +128 MiB of the image
	BelowImage                  // memory is beyond -128 MiB
	AboveFirstSite              // memory is just beyond +128 MiB of the first callsite
	BelowLastSite               // memory is just beyond -128 MiB of the last callsite
	CallbackAway                // memory is near, the callback is beyond +128 MiB
	CallbackAtEdge              // memory is near, the callback is at an edge of BL's range: see Case.Distance
)

// Failing says what fails.
type Failing uint8

const (
	Nothing     Failing = iota
	Allocation          // of memory
	Copying             // a copy: see Case.Fail
	Permissions         // a change of permissions: see Case.Fail
	Patching            // a read or a patch of an instruction: see Case.Fail
	Slot                // nothing, but a word that no builder expects stands in a slot: see Case.Slot
)

// Then says what happens to the trampoline of an ops once it is built.
type Then uint8

const (
	NothingMore   Then = iota
	Update             // the builder is called again, with another callback
	SwitchGraph        // the builder is called again, with fgraph switched on, or off
	Release            // arch_ftrace_trampoline_free() is called
	Rebuild            // Release, and the builder is called again
	OwnersUpdate       // the ops has a trampoline that its owner set, and the builder is called
	OwnersRelease      // the ops has a trampoline that its owner set, and arch_ftrace_trampoline_free() is called
)

// The situations that builders are executed in.
var (
	Near          = Situation{}
	FarAbove      = Situation{Place: AboveImage}
	FarBelow      = Situation{Place: BelowImage}
	EdgeAbove     = Situation{Place: AboveFirstSite}
	EdgeBelow     = Situation{Place: BelowLastSite}
	FarCallback   = Situation{Place: CallbackAway}
	EdgeCallback  = Situation{Place: CallbackAtEdge}
	NoMemory      = Situation{Fails: Allocation}
	BadCopy       = Situation{Fails: Copying}
	BadPerm       = Situation{Fails: Permissions}
	BadPatch      = Situation{Fails: Patching}
	AlienSlot     = Situation{Fails: Slot}
	Owned         = Situation{Then: OwnersUpdate}
	OwnedFreed    = Situation{Then: OwnersRelease}
	Updated       = Situation{Then: Update}
	GraphSwitched = Situation{Then: SwitchGraph}
	FarUpdate     = Situation{Then: Update, Place: CallbackAway}
	BadUpdate     = Situation{Then: Update, Fails: Patching}
	AlienUpdate   = Situation{Then: Update, Fails: Slot}
	Released      = Situation{Then: Release}
	BadRelease    = Situation{Then: Release, Fails: Permissions}
	Rebuilt       = Situation{Then: Rebuild}
)

// situations are all situations, with their names.
var situations = []struct {
	Situation
	name string
}{
	{Near, "memory in reach"},
	{FarAbove, "memory beyond +128 MiB of the image"},
	{FarBelow, "memory beyond -128 MiB of the image"},
	{EdgeAbove, "memory just beyond +128 MiB of the first callsite"},
	{EdgeBelow, "memory just beyond -128 MiB of the last callsite"},
	{FarCallback, "the callback beyond 128 MiB"},
	{EdgeCallback, "the callback at an edge of BL's range"},
	{NoMemory, "the allocation failing"},
	{BadCopy, "a copy failing"},
	{BadPerm, "a change of permissions failing"},
	{BadPatch, "a read or a patch of an instruction failing"},
	{AlienSlot, "an unexpected word in a slot of the template"},
	{Owned, "a trampoline that the owner of the ops set"},
	{OwnedFreed, "a trampoline that the owner of the ops set, to be freed"},
	{Updated, "another callback"},
	{GraphSwitched, "fgraph switched"},
	{FarUpdate, "another callback, beyond 128 MiB"},
	{BadUpdate, "another callback and a read or a patch of an instruction failing"},
	{AlienUpdate, "another callback and an unexpected word in a slot"},
	{Released, "the trampoline released"},
	{BadRelease, "the trampoline released and a change of permissions failing"},
	{Rebuilt, "a trampoline asked for again"},
}

func (s Situation) String() string {
	for _, known := range situations {
		if known.Situation == s {
			return known.name
		}
	}
	return "a situation without a name"
}

// Situations are all situations.
func Situations() []Situation {
	var out []Situation
	for _, s := range situations {
		out = append(out, s.Situation)
	}
	return out
}

// Aliens are the words that stand in a slot in AlienSlot and AlienUpdate, in turn:
// MOV X0, X0, and B.EQ, which is a branch but not one that belongs there.
var Aliens = []uint32{a64.EncodeMOV(0, 0), 0x5400_0000}

// A Case is a situation with its details. Comments name the situations that use a
// field.
type Case struct {
	Situation Situation
	Regs      bool // the ops asks for all registers
	Graph     bool // fgraph is on
	Thunk     bool // functions return through a thunk and calls are counted, as x86's mitigations may ask for

	Fail     Failure // Copying, Permissions, Patching: which call fails
	Slot     string  // Slot: its label
	Alien    uint32  // Slot: the word, of Aliens
	Distance int64   // CallbackAtEdge: the distance from the slot to the callback, in bytes
}

// A Failure is a call that fails: the Nth of those that can, from 1.
type Failure struct {
	Func string // Patching: the function that is called
	N    int
}

// Variant is the symbol of the entry code that the trampoline is a copy of.
func (c *Case) Variant() string {
	if c.Regs {
		return "ftrace_regs_caller"
	}
	return "ftrace_caller"
}
