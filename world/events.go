package world

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/x64"
)

// An EventKind says what executed code did to the rest of the kernel. Comments name
// the fields of Event that it has.
type EventKind uint8

const (
	Alloc        EventKind = iota // memory for code: Addr, Size; Addr 0 if it failed
	Free                          // Addr
	Copy                          // Size bytes from From to Addr; Err if it failed
	Store                         // a plain store of Size bytes, Value, to Addr
	ReadInsn                      // aarch64_insn_read() of Addr: Value
	Patch                         // Value replaces Old at Addr, through the patching interface
	PatchLiteral                  // a 64-bit Value at Addr, likewise
	Protect                       // Size bytes from Addr become Perm
	ICache                        // instruction-cache maintenance of Size bytes from Addr
	FlushReset                    // permissions of the area at Addr are reset when it is freed
	Gen                           // an instruction maker returned Value
	Trap                          // BRK with immediate Value: WARN() or BUG()
)

var eventNames = [...]string{"allocate", "free", "copy", "store", "read", "patch", "patch literal", "protect", "icache", "flush-reset", "make", "trap"}

func (k EventKind) String() string { return eventNames[k] }

// An Event is one thing that executed code did.
type Event struct {
	Kind       EventKind
	PC         uint64 // of the instruction that did it: the BL, for a call
	Addr, From uint64
	Size       uint64 // in bytes
	Old, Value uint64
	Perm       emu.Perm // of the memory at Addr; of Protect, after it
	Err        bool     // it failed
	Func       string   // the function that was called; "" for an instruction
}

// InWords is the event as listings show it.
func (e *Event) InWords(im *elfscan.Image) string {
	at := func(a uint64) string {
		if n := im.Name(a); n != "" {
			return n
		}
		return fmt.Sprintf("%#x", a)
	}
	text := func(insn uint64) string {
		if im.Arch().InsnSize == a64.Size {
			return fmt.Sprintf("%08x %s", insn, a64.Text(uint32(insn), e.Addr, im.Name))
		}
		code := binary.LittleEndian.AppendUint64(nil, insn)[:min(e.Size, 8)]
		words, _ := im.Arch().Text(code, e.Addr, im.Operand)
		return fmt.Sprintf("% x %s", code, words)
	}
	failed := ""
	if e.Err {
		failed = " fails"
	}
	switch e.Kind {
	case Alloc:
		if e.Addr == 0 {
			return fmt.Sprintf("%s(%#x) fails", e.Func, e.Size)
		}
		return fmt.Sprintf("%s(%#x) gives %#x", e.Func, e.Size, e.Addr)
	case Free, FlushReset:
		return fmt.Sprintf("%s(%#x)", e.Func, e.Addr)
	case Copy:
		return fmt.Sprintf("%s(%#x, %s, %#x)%s", e.Func, e.Addr, at(e.From), e.Size, failed)
	case Store:
		return fmt.Sprintf("store of %#x (%s) to %#x", e.Value, plural.Of(e.Size, "byte"), e.Addr)
	case Patch:
		return fmt.Sprintf("%s(%s)%s: %s becomes %s", e.Func, at(e.Addr), failed, text(e.Old), text(e.Value))
	case PatchLiteral:
		return fmt.Sprintf("%s(%s, %s)%s", e.Func, at(e.Addr), at(e.Value), failed)
	case Protect:
		return fmt.Sprintf("%s(%#x, %#x bytes)%s: %v", e.Func, e.Addr, e.Size, failed, e.Perm)
	case ICache:
		return fmt.Sprintf("%s(%#x, %#x bytes)", e.Func, e.Addr, e.Size)
	case ReadInsn, Gen:
		return fmt.Sprintf("%s%s: %s", e.Func, failed, text(e.Value))
	case Trap:
		if im.Arch().InsnSize != a64.Size {
			words, _ := im.Arch().Text(im.Code(e.PC, x64.MaxSize), e.PC, im.Name)
			return words
		}
		return fmt.Sprintf("brk #%#x", e.Value)
	}
	return e.Kind.String()
}

// ByInterface reports whether the patching interface did it. That writes through
// an alias and maintains the caches.
func (e *Event) ByInterface() bool {
	return e.Kind == Patch || e.Kind == PatchLiteral || strings.HasPrefix(e.Func, "aarch64_insn_")
}
