package world

import (
	"debug/elf"
	"encoding/binary"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// A Word is an instruction and its place.
type Word struct {
	Addr uint64
	Insn uint32
}

// altEntry is the size of a struct alt_instr in bytes: two signed offsets from
// themselves, to the code and to what takes its place; the capability; the sizes
// of both in bytes.
const altEntry = 12

// Alternatives are the words that the kernel puts into functions when it applies
// its alternatives. A function is one of fns, or a local function that one of them
// calls. always are the words on every processor: the NOPs that
// alt_cb_patch_nops() writes where code asks for a capability that every kernel
// has once it runs. chosen are the words on a processor with the capabilities that
// the functions ask for.
func Alternatives(im *elfscan.Image, fns ...uint64) (always, chosen []Word) {
	start, ok1 := im.Addr("__alt_instructions")
	stop, ok2 := im.Addr("__alt_instructions_end")
	if !ok1 || !ok2 || stop <= start || stop-start > uint64(im.Size()) {
		return nil, nil
	}
	b, ok := im.Bytes(start, int(stop-start))
	if !ok {
		return nil, nil
	}
	nops, _ := im.Addr("alt_cb_patch_nops")
	spans := within(im, fns)
	if len(spans) == 0 {
		return nil, nil
	}
	first, last := spans[0].Addr, spans[0].End() // almost all alternatives lie elsewhere
	for _, s := range spans {
		first, last = min(first, s.Addr), max(last, s.End())
	}
	le := binary.LittleEndian
	for off := 0; off+altEntry <= len(b); off += altEntry {
		e, at := b[off:off+altEntry], start+uint64(off)
		code := at + uint64(int64(int32(le.Uint32(e))))
		if code < first || code >= last || !covered(spans, code) {
			continue
		}
		other := at + 4 + uint64(int64(int32(le.Uint32(e[4:]))))
		size, otherSize := uint64(e[10]), uint64(e[11])
		for i := uint64(0); i < size; i += a64.Size {
			switch {
			case otherSize == 0 && other == nops: // other is a function
				always = append(always, Word{code + i, a64.NOP})
			case otherSize == size:
				w, _ := im.Word(other + i)
				if target, ok := a64.Target(w, other+i); ok && (target < other || target >= other+size) {
					w, _ = a64.Relocate(w, code+i, target)
				}
				chosen = append(chosen, Word{code + i, w})
			}
		}
	}
	return always, chosen
}

func covered(spans []elfscan.Symbol, addr uint64) bool {
	for i := range spans {
		if s := &spans[i]; s.Addr <= addr && addr < s.End() {
			return true
		}
	}
	return false
}

// within are the functions at fns, and the local functions that they call.
func within(im *elfscan.Image, fns []uint64) (out []elfscan.Symbol) {
	const most = 64 // functions
	todo, seen := append([]uint64(nil), fns...), map[uint64]bool{}
	for len(todo) > 0 && len(out) < most {
		fn, ok := im.SymbolAt(todo[0])
		todo = todo[1:]
		if !ok || seen[fn.Addr] {
			continue
		}
		seen[fn.Addr] = true
		out = append(out, fn)
		for a := fn.Addr; a < fn.End(); a += a64.Size {
			w, _ := im.Word(a)
			target, ok := a64.Target(w, a)
			if kind := a64.Classify(w); !ok || kind != a64.Call && kind != a64.Branch || covered(out, target) {
				continue
			}
			if callee, ok := im.SymbolAt(target); ok && callee.Addr == target && callee.Type == elf.STT_FUNC && callee.Bind == elf.STB_LOCAL {
				todo = append(todo, target)
			}
		}
	}
	return out
}
