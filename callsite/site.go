package callsite

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/x64"
)

// A Site is one callsite, taken apart.
type Site struct {
	Entry  uint64 // the value in the table
	Func   uint64 // address of the function; 0 (not known) if the call stands behind the prologue
	Call   uint64 // address of the branch to the entry code, or of its place
	Saved  int8   // number of the register in which the words save LR; -1: they do not save it
	BTI    bool   // a landing pad stands in it
	Late   bool   // a landing pad stands behind its NOPs, where a BLR to the function does not land
	OK     bool   // the words have the shape
	Text   bool   // the entry lies in an executable section
	AtFunc bool   // a function symbol, or a label, stands at Func
}

// releaseChunk is how much code is kept in memory while all of it is gone through,
// in bytes.
const releaseChunk = 1 << 20

// Site takes the callsite at entry apart by the shape of the image's era.
func (t *Table) Site(entry uint64) Site { return t.SiteAs(entry, t.Shape) }

// SiteAs takes the callsite at entry apart by the given shape. The words may be
// as built or as the kernel leaves them at run time: MOV Xn, LR replaces the first
// NOP, BL the second, and a pointer the literal before the function.
func (t *Table) SiteAs(entry uint64, shape *arch.Shape) Site {
	section, _ := t.Image.SectionAt(entry)
	s := t.takeApart(entry, shape, section)
	s.AtFunc = t.Image.FunctionAt(s.Func)
	return s
}

// Sites are the callsites of the table, by address.
func (t *Table) Sites() []Site {
	out := make([]Site, len(t.Addrs))
	var section *elfscan.Range
	var from uint64 // start of the chunk
	for i, entry := range t.Addrs {
		if section == nil || entry-section.Addr >= section.Size {
			section, _ = t.Image.SectionAt(entry)
			from = entry
		}
		if section != nil && entry-from >= releaseChunk {
			t.Image.Release(section, from, entry)
			from = entry
		}
		out[i] = t.takeApart(entry, t.Shape, section)
	}
	t.Image.EachFunctionAt(len(out), func(i int) uint64 { return out[i].Func }, func(i int) { out[i].AtFunc = true })
	return out
}

// takeApart is SiteAs without AtFunc. section is the section that entry lies in,
// or nil.
func (t *Table) takeApart(entry uint64, shape *arch.Shape, section *elfscan.Range) Site {
	s := Site{Entry: entry, Saved: -1, Text: section != nil && section.Executable()}
	var data []byte
	var at uint64 // of entry in data
	if section != nil {
		data, at = section.Data(), entry-section.Addr
	}
	word := func(off uint64) uint32 { // the word at entry+off, 0 if it is not in the section
		if i := at + off; i < uint64(len(data)) && uint64(len(data))-i >= a64.Size {
			return binary.LittleEndian.Uint32(data[i:])
		}
		return 0
	}
	switch {
	case shape == nil:
		return s
	case shape.Size != 0:
		return t.takeCall(s, shape, data, at)
	case !shape.SavesLR:
		if section != nil {
			data = t.Image.Relocated(section) // BL _mcount is the only word with a relocation
		}
		s.Call = entry
		s.OK = word(0) == a64.NOP || t.callsTracer(word(0), entry, shape)
		return s
	}
	pair := shape.Literal // offset of the function's two NOPs from entry
	s.Func = entry + pair
	switch {
	case shape.Literal == 0 && at >= a64.Size && word(^uint64(a64.Size)+1) == a64.BTIc:
		s.BTI = true
		s.Func -= a64.Size
	case shape.Literal != 0 && word(pair) == a64.BTIc:
		s.BTI = true
		pair += a64.Size
	}
	s.Call = entry + pair + a64.Size
	first, second := word(pair), word(pair+a64.Size)
	initialised := false
	if rd, rm, mov := a64.IsMOV(first); mov && rm == a64.LR {
		s.Saved, initialised = int8(rd), true
	}
	s.OK = (first == a64.NOP || initialised) && (second == a64.NOP || initialised && a64.Classify(second) == a64.Call)
	if shape.Literal != 0 && s.OK && !initialised {
		// The literal is two NOPs until the kernel puts a pointer there.
		s.OK = word(0) == a64.NOP && word(a64.Size) == a64.NOP
	}
	s.Late = s.OK && !s.BTI && word(pair+2*a64.Size) == a64.BTIc
	return s
}

// takeCall is takeApart for a callsite that is one instruction of several bytes,
// whose first byte is data[at].
func (t *Table) takeCall(s Site, shape *arch.Shape, data []byte, at uint64) Site {
	s.Func, s.Call = s.Entry, s.Entry
	if at >= uint64(len(data)) {
		return s
	}
	if pad := uint64(len(x64.Endbr)); at >= pad && [len(x64.Endbr)]byte(data[at-pad:at]) == x64.Endbr {
		s.BTI, s.Func = true, s.Entry-pad
	}
	code := data[at:]
	if uint64(len(code)) < shape.Size {
		return s
	}
	if t.Image.Module() != nil && code[0] == x64.OpCall { // its target has a relocation
		code = t.Image.Code(s.Entry, x64.CallSize+len(x64.Endbr))
	}
	switch {
	case [x64.CallSize]byte(code[:x64.CallSize]) == x64.Nop5:
		s.OK = true
	case code[0] == x64.OpCall:
		target := s.Entry + x64.CallSize + uint64(int64(int32(binary.LittleEndian.Uint32(code[1:]))))
		s.OK = t.isTracer(target, shape)
	}
	s.Late = s.OK && !s.BTI && bytes.HasPrefix(code[x64.CallSize:], x64.Endbr[:])
	return s
}

// callsTracer reports whether w at pc is a BL to the tracer or, patched, to the
// entry code.
func (t *Table) callsTracer(w uint32, pc uint64, shape *arch.Shape) bool {
	if a64.Classify(w) != a64.Call {
		return false
	}
	target, _ := a64.Target(w, pc)
	return t.isTracer(target, shape)
}

// isTracer reports whether target is what a callsite of the shape calls as it is
// built or, patched, the entry code.
func (t *Table) isTracer(target uint64, shape *arch.Shape) bool {
	if t.Image.Module() != nil {
		name, _ := strings.CutSuffix(t.Image.Outside(target), "@plt")
		return name == shape.Tracer || name == "ftrace_caller" || name == "ftrace_regs_caller"
	}
	known := t.tracers
	return target != 0 && slices.Contains(known[:], target)
}

// Guess is the shape that the words at entry have, nil if they have no known
// shape.
func (t *Table) Guess(entry uint64) *arch.Shape {
	for _, shape := range t.Arch.Shapes {
		if w, ok := t.Image.Word(entry); ok && !shape.AtEntry() && t.callsTracer(w, entry, shape) {
			return shape
		}
	}
	return t.guessAtEntry(entry)
}

// guessAtEntry is Guess for callsites at the entry of their functions. Four NOPs of
// arm64 can have either shape: the symbol of the function decides.
func (t *Table) guessAtEntry(entry uint64) *arch.Shape {
	for _, shape := range t.Arch.Shapes {
		if shape.Size != 0 {
			if t.SiteAs(entry, shape).OK {
				return shape
			}
			return nil
		}
	}
	callops, nops := t.SiteAs(entry, arch.OpsAndNOPs), t.SiteAs(entry, arch.NOPs)
	switch {
	case callops.OK && nops.OK:
		if nops.AtFunc && !callops.AtFunc {
			return arch.NOPs
		}
		return arch.OpsAndNOPs
	case callops.OK:
		return arch.OpsAndNOPs
	case nops.OK:
		return arch.NOPs
	}
	return nil
}

// around is the callsite whose NOPs addr lies in. A BL behind the prologue does
// not count, as it has a line of its own.
func around(im *elfscan.Image, addr uint64) (s Site, ok bool) {
	t, err := Of(im)
	if err != nil || t.Entries == nil {
		return Site{}, false
	}
	i, found := slices.BinarySearch(t.Addrs, addr)
	if !found {
		i--
	}
	if i < 0 || addr-t.Addrs[i] > 5*a64.Size {
		return Site{}, false
	}
	s = t.SiteAs(t.Addrs[i], t.Guess(t.Addrs[i]))
	return s, s.Call > s.Entry && addr <= s.Call
}

// Name is addr in words, as Image.Name. A word of a callsite has the name of the
// callsite's function, before which it may stand: "vfs_read-0x8".
func Name(im *elfscan.Image, addr uint64) string {
	fn, ok := FuncAt(im, addr)
	if name := im.Name(fn); ok && addr < fn && name != "" {
		return fmt.Sprintf("%s-%#x", name, fn-addr)
	}
	return im.Name(addr)
}

// FuncAt is the address of the function whose callsite addr lies in. Words of a
// callsite may stand before the function. ok is false if addr is not in a
// callsite, or if no function belongs to the callsite.
func FuncAt(im *elfscan.Image, addr uint64) (fn uint64, ok bool) {
	s, ok := around(im, addr)
	return s.Func, ok && s.AtFunc
}
