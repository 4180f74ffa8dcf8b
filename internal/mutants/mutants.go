// Package mutants makes mutants of A64 code: what tests change to see whether the
// change is noticed.
package mutants

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
)

// A Mutant is code with one instruction changed, or two neighbours swapped.
type Mutant struct {
	Addr  uint64
	Words []uint32 // what stands at Addr: one word, or two
	How   string   // "drop", "Rn", "imm+1", ...
}

func (m *Mutant) String() string { return fmt.Sprintf("%#x %s %08x", m.Addr, m.How, m.Words) }

// A field is bits of an instruction word.
type field struct {
	name     string
	lo, bits uint
}

func (f field) of(w uint32) uint32 { return w >> f.lo & (1<<f.bits - 1) }
func (f field) with(w, v uint32) uint32 {
	m := uint32(1)<<f.bits - 1
	return w&^(m<<f.lo) | v&m<<f.lo
}

var (
	fieldRd = field{"Rd", 0, 5}
	fieldRn = field{"Rn", 5, 5}
	fieldRm = field{"Rm", 16, 5}
	fieldRa = field{"Rt2", 10, 5}
)

// A Class is what instructions have in common that read and write alike.
type Class int

const (
	Unknown Class = iota
	Move
	Address
	AddImm
	LogImm
	Bitfield
	Reg
	Reg1
	Ext
	CCmp
	CSel
	Branch
	BCond
	Test
	BRn
	Pair
	Load
)

// An encoding is instructions, the words w with w&mask == value, and what is worth
// changing in them (DDI 0487, C4.1).
type encoding struct {
	mask, value uint32
	regs        []field
	imms        []field // changed by one unit up and down
	flips       []flip  // bits that make another operation of it
	class       Class
}

type flip struct {
	name string
	bits uint32
}

var (
	addSub  = flip{"add/sub", 1 << 30}
	loadSt  = flip{"load/store", 1 << 22}
	wide    = flip{"size", 1 << 30}
	logical = flip{"and/orr", 1 << 29}
	imm12   = field{"imm", 10, 12}
	imm9    = field{"imm", 12, 9}
	imm7    = field{"imm", 15, 7}
	imm19   = field{"target", 5, 19}
	imm26   = field{"target", 0, 26}
	imms    = field{"imms", 10, 6}
	immr    = field{"immr", 16, 6}
)

// encodings are the instructions that the entry code and the site functions
// are made of. The first that fits counts.
var encodings = []encoding{
	{0x1f800000, 0x12800000, []field{fieldRd}, []field{{"imm", 5, 16}}, []flip{{"movz/movn", 1 << 30}, {"movz/movk", 1 << 29}}, Move},
	{0x9f000000, 0x10000000, []field{fieldRd}, []field{imm19, {"low bits", 29, 2}}, nil, Address},
	{0x9f000000, 0x90000000, []field{fieldRd}, []field{imm19, {"low bits", 29, 2}}, nil, Address},
	{0x1f800000, 0x11000000, []field{fieldRd, fieldRn}, []field{imm12}, []flip{addSub}, AddImm},
	{0x1f800000, 0x12000000, []field{fieldRd, fieldRn}, []field{imms, immr}, []flip{logical}, LogImm},
	{0x1f800000, 0x13000000, []field{fieldRd, fieldRn}, []field{imms, immr}, []flip{{"signed", 1 << 30}}, Bitfield},
	{0x1f000000, 0x0a000000, []field{fieldRd, fieldRn, fieldRm}, []field{{"shift", 10, 6}}, []flip{logical, {"not", 1 << 21}}, Reg},
	{0x1f200000, 0x0b000000, []field{fieldRd, fieldRn, fieldRm}, []field{{"shift", 10, 6}}, []flip{addSub}, Reg},
	{0x1f200000, 0x0b200000, []field{fieldRd, fieldRn, fieldRm}, []field{{"shift", 10, 3}}, []flip{addSub}, Ext},
	{0x1fe00800, 0x1a400000, []field{fieldRn, fieldRm}, []field{{"nzcv", 0, 4}}, []flip{{"condition", 1 << 12}}, CCmp},
	{0x1fe00800, 0x1a400800, []field{fieldRn}, []field{{"imm", 16, 5}, {"nzcv", 0, 4}}, []flip{{"condition", 1 << 12}}, CCmp},
	{0x1fe00000, 0x1a800000, []field{fieldRd, fieldRn, fieldRm}, nil, []flip{{"condition", 1 << 12}, {"not", 1 << 30}}, CSel},
	{0x5fe00000, 0x1ac00000, []field{fieldRd, fieldRn, fieldRm}, nil, nil, Reg},
	{0x5fe00000, 0x5ac00000, []field{fieldRd, fieldRn}, nil, nil, Reg1},

	{0xfc000000, 0x14000000, nil, []field{imm26}, []flip{{"b/bl", 1 << 31}}, Branch},
	{0xfc000000, 0x94000000, nil, []field{imm26}, []flip{{"b/bl", 1 << 31}}, Branch},
	{0xff000010, 0x54000000, nil, []field{imm19}, []flip{{"condition", 1}}, BCond},
	{0x7e000000, 0x34000000, []field{fieldRd}, []field{imm19}, []flip{{"condition", 1 << 24}}, Test},
	{0x7e000000, 0x36000000, []field{fieldRd}, []field{{"target", 5, 14}, {"bit", 19, 5}}, []flip{{"condition", 1 << 24}}, Test},
	{0xfffffc1f, 0xd61f0000, []field{fieldRn}, nil, []flip{{"br/blr", 1 << 21}}, BRn},
	{0xfffffc1f, 0xd63f0000, []field{fieldRn}, nil, []flip{{"br/blr", 1 << 21}}, BRn},
	{0xfffffc1f, 0xd65f0000, []field{fieldRn}, nil, []flip{{"ret/br", 1 << 22}}, BRn},
	{0xfff00000, 0xd5300000, []field{fieldRd}, []field{{"register", 5, 3}}, nil, Address},

	{0x3e000000, 0x28000000, []field{fieldRd, fieldRa, fieldRn}, []field{imm7}, []flip{loadSt, {"size", 1 << 31}}, Pair},
	{0x3f000000, 0x39000000, []field{fieldRd, fieldRn}, []field{imm12}, []flip{loadSt, wide}, Load},
	{0x3f200000, 0x38000000, []field{fieldRd, fieldRn}, []field{imm9}, []flip{loadSt, wide}, Load},
	{0x3f200c00, 0x38200800, []field{fieldRd, fieldRn, fieldRm}, nil, []flip{loadSt, wide}, Load},
}

func encodingOf(w uint32) *encoding {
	for i := range encodings {
		if w&encodings[i].mask == encodings[i].value {
			return &encodings[i]
		}
	}
	return nil
}

// ClassOf is the class of the instruction w.
func ClassOf(w uint32) Class {
	if e := encodingOf(w); e != nil {
		return e.class
	}
	return Unknown
}

// Of are the mutants of the word w at addr; next is the word behind it, if the code
// goes on there.
func Of(addr uint64, w uint32, next uint32, hasNext bool) []Mutant {
	var out []Mutant
	seen := map[uint32]bool{w: true}
	add := func(m uint32, how string) {
		if !seen[m] {
			seen[m] = true
			out = append(out, Mutant{addr, []uint32{m}, how})
		}
	}
	if w == a64.NOP {
		return nil // nothing to change: padding, or a slot
	}
	add(a64.NOP, "drop")
	if e := encodingOf(w); e != nil {
		for _, f := range e.regs {
			n := f.of(w) + 1
			if n > 31 {
				n = 30
			}
			add(f.with(w, n), f.name)
		}
		for _, f := range e.imms {
			add(f.with(w, f.of(w)+1), f.name+"+1")
			add(f.with(w, f.of(w)-1), f.name+"-1")
		}
		for _, f := range e.flips {
			add(w^f.bits, f.name)
		}
	}
	if hasNext && next != w {
		out = append(out, Mutant{addr, []uint32{next, w}, "swap"})
	}
	return out
}
