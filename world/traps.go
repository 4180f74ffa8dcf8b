package world

import (
	"encoding/binary"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
)

const bugBrkImm = 0x800

// onBreak records a trap. Execution goes on after WARN(), not after BUG(). A flag
// in the kernel's bug table distinguishes the two.
func (w *World) onBreak(pc uint64, imm uint16) emu.BreakAction {
	w.event(Event{Kind: Trap, PC: pc, Value: uint64(imm)})
	if imm == bugBrkImm && w.bugAt(pc) != bug { // a trap without an entry counts as WARN()
		return emu.Continue
	}
	return emu.Halt
}

// trapOf is what a BRK with the immediate says in the kernel, if the kernel dies of
// it; "" if it may not: of a sanitizer, or of a call through a pointer, which may
// be one that the kernel sets (arch/arm64/include/asm/brk-imm.h).
func trapOf(imm uint16) string {
	switch {
	case imm == bugBrkImm:
		return "BUG()"
	case imm>>8 == 0x9, imm>>10 == 0x8000>>10:
		return "" // KASAN, CFI
	}
	return "a trap"
}

// bugKind is what the kernel's bug table says of a trap.
type bugKind uint8

const (
	noTable  bugKind = iota // the image has no table, or one of an unknown form
	unlisted                // the table has no entry for the trap
	warning                 // WARN(): the entry has BUGFLAG_WARNING
	bug                     // BUG(): the entry lacks that flag
)

// bugAt is what the bug table says of the trap at pc.
func (w *World) bugAt(pc uint64) bugKind {
	start, b := w.between("__start___bug_table", "__stop___bug_table")
	// struct bug_entry: s32 bug_addr_disp, in newer kernels s32 format_disp;
	// with CONFIG_DEBUG_BUGVERBOSE s32 file_disp and u16 line; u16 flags.
	le := binary.LittleEndian
	target := func(off int) uint64 { return start + uint64(off) + uint64(int64(int32(le.Uint32(b[off:])))) }
	kind := noTable
	// The largest comes last: every second entry of 8 bytes is one of 16 that fits.
	for _, format := range []struct{ size, flags int }{{12, 10}, {8, 4}, {16, 14}} {
		fits := len(b) > 0 && len(b)%format.size == 0
		for off := 0; fits && off < min(len(b), 8*format.size); off += format.size {
			insn, ok := w.Image.Insn(target(off))
			fits = ok && insn.Flow == arch.Traps
		}
		if fits {
			kind = unlisted
		}
		for off := 0; fits && off < len(b); off += format.size {
			switch {
			case target(off) != pc:
			case le.Uint16(b[off+format.flags:])&1 != 0:
				return warning
			default:
				return bug
			}
		}
	}
	return kind
}

// ofCFI reports whether the trap at pc is that of a call through a pointer whose target
// has another type: clang lists these traps (arch/x86/kernel/cfi.c).
func (w *World) ofCFI(pc uint64) bool {
	start, b := w.between("__start___kcfi_traps", "__stop___kcfi_traps")
	for off := 0; off+4 <= len(b); off += 4 {
		if start+uint64(off)+uint64(int64(int32(binary.LittleEndian.Uint32(b[off:])))) == pc {
			return true
		}
	}
	return false
}

// between are the image's bytes between two symbols; none if it has no such table.
func (w *World) between(first, end string) (start uint64, b []byte) {
	start, ok1 := w.Image.Addr(first)
	stop, ok2 := w.Image.Addr(end)
	if !ok1 || !ok2 || stop <= start || stop-start > 64<<20 {
		return 0, nil
	}
	b, _ = w.Image.Bytes(start, int(stop-start))
	return start, b
}
