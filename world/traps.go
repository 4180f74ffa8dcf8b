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
	if imm == bugBrkImm && !w.isBug(pc) {
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

// isBug reports whether the trap at pc is BUG(): its entry in the bug table lacks
// BUGFLAG_WARNING. A trap without an entry counts as WARN().
func (w *World) isBug(pc uint64) bool {
	start, ok1 := w.Image.Addr("__start___bug_table")
	stop, ok2 := w.Image.Addr("__stop___bug_table")
	if !ok1 || !ok2 || stop <= start || stop-start > 64<<20 {
		return false
	}
	b, ok := w.Image.Bytes(start, int(stop-start))
	if !ok {
		return false
	}
	// struct bug_entry: s32 bug_addr_disp, in newer kernels s32 format_disp;
	// with CONFIG_DEBUG_BUGVERBOSE s32 file_disp and u16 line; u16 flags.
	le := binary.LittleEndian
	target := func(off int) uint64 { return start + uint64(off) + uint64(int64(int32(le.Uint32(b[off:])))) }
	// The largest comes last: every second entry of 8 bytes is one of 16 that fits.
	for _, format := range []struct{ size, flags int }{{12, 10}, {8, 4}, {16, 14}} {
		fits := len(b)%format.size == 0
		for off := 0; fits && off < min(len(b), 8*format.size); off += format.size {
			insn, ok := w.Image.Insn(target(off))
			fits = ok && insn.Flow == arch.Traps
		}
		for off := 0; fits && off < len(b); off += format.size {
			if target(off) == pc {
				return le.Uint16(b[off+format.flags:])&1 == 0
			}
		}
	}
	return false
}
