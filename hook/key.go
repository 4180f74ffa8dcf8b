package hook

import (
	"encoding/binary"
	"slices"

	"github.com/ftlint/ftlint/arch"
)

// A switchedInsn is an instruction as it is while a static key is on.
type switchedInsn struct {
	at   uint64
	code []byte
}

// switched are the instructions of the functions that change when a static key is
// switched on: the jump labels that are NOPs until then.
func (x *executor) switched(key string, functions ...string) (out []switchedInsn) {
	at, ok := x.im.Addr(key)
	i := slices.IndexFunc(x.arch.Tables, func(t arch.Table) bool { return t.Section == "__jump_table" })
	if !ok || i < 0 {
		return nil
	}
	start, ok1 := x.im.Addr(x.arch.Tables[i].Start)
	stop, ok2 := x.im.Addr(x.arch.Tables[i].Stop)
	data, ok3 := x.im.Bytes(start, int(stop-start))
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	var in []struct{ from, to uint64 }
	for _, name := range functions {
		if s, ok := x.im.Lookup(name); ok {
			in = append(in, struct{ from, to uint64 }{s.Addr, s.End()})
		}
	}
	const size = 16 // struct jump_entry: code and target, both 32 bits, and key, all relative
	le := binary.LittleEndian
	for ; len(data) >= size; start, data = start+size, data[size:] {
		place := start + uint64(int64(int32(le.Uint32(data))))
		for _, f := range in {
			if place < f.from || place >= f.to || start+8+le.Uint64(data[8:]) != at {
				continue // another key, or one whose lowest bits say that the label is a jump now
			}
			jump, ok := x.arch.EncodeJump(place, start+4+uint64(int64(int32(le.Uint32(data[4:])))))
			if nop, known := x.im.Insn(place); ok && known && nop.Flow == arch.DoesNought && nop.Size == x.arch.CallSize {
				out = append(out, switchedInsn{place, jump})
			}
		}
	}
	return out
}
