package mutants

import (
	"bytes"
	"fmt"

	"github.com/ftlint/ftlint/x64"
)

// An X64 is x86-64 code with one instruction changed, or two neighbours swapped. It
// has the size of the code that it stands for.
type X64 struct {
	Addr uint64
	Code []byte
	How  string // "drop", "swap", "byte 1^1": the second byte with bit 0 flipped
}

func (m *X64) String() string { return fmt.Sprintf("%#x %s % x", m.Addr, m.How, m.Code) }

// OfX64 are the mutants of the instruction at the start of code, at addr. The rest of
// code is the instruction behind it, which may be missing. An instruction is dropped,
// swapped with the next one, and has bits flipped: in each byte the lowest bit, which
// is the condition of a branch, the size or the direction of a move, a register, or
// one unit of a displacement or an immediate, and in the second and third byte that of
// ModRM's other register. What is then no instruction of the same size is left out.
func OfX64(addr uint64, code []byte) (out []X64) {
	in, ok := x64.Decode(code)
	if !ok || in.Kind == x64.Nop || in.Kind == x64.Landing || in.Kind == x64.Trap {
		return nil
	}
	own, next := code[:in.Len], code[in.Len:]
	out = append(out, X64{addr, bytes.Repeat([]byte{nop}, in.Len), "drop"})
	seen := map[string]bool{string(own): true}
	flip := func(i int, bit byte) {
		m := bytes.Clone(own)
		m[i] ^= bit
		if got, ok := x64.Decode(m); ok && got.Len == len(m) && !seen[string(m)] {
			seen[string(m)] = true
			out = append(out, X64{addr, m, fmt.Sprintf("byte %d^%d", i, bit)})
		}
	}
	for i := range own {
		flip(i, 1)
		if i == 1 || i == 2 {
			flip(i, 1<<3)
		}
	}
	if then, ok := x64.Decode(next); ok && then.Len == len(next) && in.PCRel+then.PCRel == 0 && !bytes.Equal(own, next) {
		out = append(out, X64{addr, append(bytes.Clone(next), own...), "swap"})
	}
	return out
}

const nop = 0x90
