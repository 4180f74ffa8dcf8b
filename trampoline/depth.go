package trampoline

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/x64"
)

// This file is about processors on which the kernel counts calls (retbleed=stuff): its
// alternatives put an instruction into the entry code that refers to a variable of the
// processor, in newer kernels relative to RIP. A copy must refer to the same one
// ("x86/callthunks: Handle %rip-relative relocations in call thunk template").

// featureCallDepth is X86_FEATURE_CALL_DEPTH of arch/x86/include/asm/cpufeatures.h.
const featureCallDepth = 11*32 + 19

// countCalls puts into the entry code of a variant what boot would put there.
func (t *builder) countCalls(variant string) error {
	lo, ok1 := t.Image.Addr(variant)
	hi, ok2 := t.Image.Addr(variant + "_end")
	if !ok1 || !ok2 {
		return nil
	}
	if t.counting == nil {
		all, err := t.alternatives(featureCallDepth)
		if err != nil {
			return err
		}
		t.counting = &all
	}
	for _, a := range *t.counting {
		if a.at < lo || a.at >= hi {
			continue
		}
		if err := t.Mem.Write(a.at, a.code); err != nil {
			return err
		}
	}
	return nil
}

// An alternative is code that stands at an address on some processors.
type alternative struct {
	at   uint64
	code []byte
}

// alternatives are those of the entry code for a feature of the processor.
func (t *builder) alternatives(feature uint16) (out []alternative, err error) {
	start, ok1 := t.Image.Addr("__alt_instructions")
	stop, ok2 := t.Image.Addr("__alt_instructions_end")
	if !ok1 || !ok2 || stop <= start || stop-start > uint64(t.Image.Size()) {
		return nil, nil
	}
	table, ok := t.Image.Bytes(start, int(stop-start))
	if !ok {
		return nil, nil
	}
	types, err := ktypes.Open(t.Image, t.all.Builder)
	if err != nil {
		return nil, err
	}
	of, err := types.Struct("alt_instr")
	if err != nil {
		return nil, unlessNotDescribed(err)
	}
	sizes, err := types.Member(of, "instrlen")
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	lens := int(sizes.Offset) // of the code and, behind that, of what takes its place
	for off := 0; off+lens+2 <= len(table); off += lens + 2 {
		e, at := table[off:], start+uint64(off)
		if le.Uint16(e[8:]) != feature {
			continue
		}
		a := alternative{at: at + uint64(int64(int32(le.Uint32(e))))}
		other := at + 4 + uint64(int64(int32(le.Uint32(e[4:]))))
		if e[lens] != e[lens+1] {
			continue // padded with NOPs: no part of the entry code that is copied
		}
		if a.code, ok = t.Image.Bytes(other, int(e[lens+1])); !ok {
			return nil, fmt.Errorf("an alternative at %#x is outside the image", other)
		}
		a.code = append([]byte(nil), a.code...)
		if in, ok := x64.Decode(a.code); ok && in.PCRel > 0 {
			target, _ := in.Target(other)
			if !x64.Retarget(a.code[:in.Len], a.at, target) {
				return nil, errors.New("an alternative does not reach what it refers to")
			}
		}
		out = append(out, a)
	}
	return out, nil
}
