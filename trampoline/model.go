package trampoline

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
)

// A Role says what a builder makes of an instruction of the template.
type Role uint8

const (
	Plain     Role = iota // copied; a PC-relative instruction gets a new offset
	Join                  // the branch from the first region to the second: left out, or a NOP
	OpPage                // the ADRP of the load of function_trace_op: left out, or a NOP
	OpLoad                // the LDR behind OpPage: becomes LDR X2, literal
	CallSlot              // the BL to the callback
	GraphSlot             // a NOP, or B ftrace_graph_caller while fgraph is on
	Return
)

var roleNames = [...]string{"", "the branch to ftrace_common", "the op load", "the op load",
	"the slot of ftrace_call", "the slot of ftrace_graph_call", "the return"}

func (r Role) String() string { return roleNames[r] }

// optional reports whether a trampoline may leave the instruction out. If it does
// not, it has a NOP there.
func (r Role) optional() bool { return r == Join || r == OpPage }

// A ModelInsn is an instruction of the template with its role in a trampoline.
type ModelInsn struct {
	Origin uint64 // address in the template
	Word   uint32
	Role   Role
}

// A Model is the model of a correct trampoline: the entry code of ftrace_caller or
// ftrace_regs_caller, joined with ftrace_common.
type Model struct {
	Variant string // "ftrace_caller" or "ftrace_regs_caller"
	Regs    bool   // it is for ops with FTRACE_OPS_FL_SAVE_REGS
	Insns   []ModelInsn

	Entry, Common *Region // the two regions that are joined
}

// Offsets are the offsets of parts of a trampoline from its start, in bytes.
type Offsets struct {
	Code    uint64 // size of the code, return included
	OpLoad  uint64
	Call    uint64
	Graph   uint64 // 0: the template has no such slot
	Literal uint64 // the pointer to the ftrace_ops, aligned to 8
	Size    uint64 // size of the trampoline, literal included
}

// NewModel makes the model of a trampoline from the template's labels and
// words. An error says what is wrong with the template.
func NewModel(table *callsite.Table, t *Template, regs bool) (*Model, error) {
	im := table.Image
	m := &Model{Variant: "ftrace_caller", Regs: regs}
	if regs {
		m.Variant = "ftrace_regs_caller"
	}
	m.Entry, m.Common = t.Region(m.Variant), t.Region("ftrace_common")
	for i, r := range []*Region{m.Entry, m.Common} {
		switch label := []string{m.Variant, "ftrace_common"}[i]; {
		case r == nil:
			return nil, fmt.Errorf("the template has no region %s..%s_end (FT101, FT102)", label, label)
		case r.Last == 0:
			return nil, fmt.Errorf("the region %s..%s (%#x..%#x) does not end in a branch or return", r.Label, r.EndLabel, r.Start, r.End)
		}
	}
	last, _ := im.Word(m.Entry.Last)
	if to, _ := a64.Target(last, m.Entry.Last); a64.Classify(last) != a64.Branch || to != m.Common.Start {
		return nil, fmt.Errorf("%s ends in `%s`, a branch to ftrace_common (%#x) was expected", m.Variant, a64.Text(last, m.Entry.Last, im.Name), m.Common.Start)
	}
	if ret, _ := im.Word(m.Common.Last); a64.Classify(ret) != a64.Ret {
		return nil, fmt.Errorf("ftrace_common ends in `%s`, a return was expected", a64.Text(ret, m.Common.Last, im.Name))
	}
	call, ok := im.Addr(table.Arch.CallSlot)
	if !ok || !m.Common.Contains(call) {
		return nil, fmt.Errorf("ftrace_call does not stand in ftrace_common (FT101, FT102)")
	}
	graph, hasGraph := im.Addr(table.Arch.GraphSlot)
	op, hasOp := findOpLoad(im, m.Common)
	for _, r := range []*Region{m.Entry, m.Common} {
		for a := r.Start; a < r.Limit(); a += a64.Size {
			w, ok := im.Word(a)
			if !ok {
				return nil, fmt.Errorf("the template has no bytes at %#x", a)
			}
			insn := ModelInsn{Origin: a, Word: w}
			switch {
			case a == m.Entry.Last:
				insn.Role = Join
			case a == call:
				insn.Role = CallSlot
			case hasGraph && a == graph:
				insn.Role = GraphSlot
			case hasOp && a == op:
				insn.Role = OpPage
			case hasOp && a == op+a64.Size:
				insn.Role = OpLoad
			case a == m.Common.Last:
				insn.Role = Return
			}
			m.Insns = append(m.Insns, insn)
		}
	}
	return m, nil
}

// opLoadLabel is the label on the load of function_trace_op in arm64's template.
const opLoadLabel = "function_trace_op_ptr"

// findOpLoad is the address of the ADRP of the pair that loads function_trace_op
// into X2. The pair stands at its label or, without the label, anywhere in the
// region.
func findOpLoad(im *elfscan.Image, r *Region) (addr uint64, ok bool) {
	isPair := func(a uint64) bool {
		adrp, _ := im.Word(a)
		ldr, ok := im.Word(a + a64.Size)
		return ok && r.Contains(a) && r.Contains(a+a64.Size) && a64.Classify(adrp) == a64.ADRP &&
			ldr&0xffc00000 == 0xf9400000 && a64.Rn(ldr) == a64.Rd(adrp) && a64.Rd(ldr) == 2
	}
	if a, ok := im.Addr(opLoadLabel); ok && isPair(a) {
		return a, true
	}
	op, _ := im.Addr("function_trace_op")
	for a := r.Start; a < r.Limit(); a += a64.Size {
		if isPair(a) {
			adrp, _ := im.Word(a)
			ldr, _ := im.Word(a + a64.Size)
			if page, _ := a64.Target(adrp, a); page+uint64(ldr>>10&0xfff)*8 == op {
				return a, true
			}
		}
	}
	return 0, false
}

// Find is the index in Insns of the instruction with a role, or -1.
func (m *Model) Find(role Role) int {
	for i := range m.Insns {
		if m.Insns[i].Role == role {
			return i
		}
	}
	return -1
}

// Offsets are the offsets of a correct trampoline. If nops is true, it has a NOP in
// place of the branch to ftrace_common; otherwise it leaves the branch out.
func (m *Model) Offsets(nops bool) Offsets {
	var o Offsets
	for _, insn := range m.Insns {
		if insn.Role == Join && !nops {
			continue
		}
		switch insn.Role {
		case OpLoad:
			o.OpLoad = o.Code
		case CallSlot:
			o.Call = o.Code
		case GraphSlot:
			o.Graph = o.Code
		}
		o.Code += a64.Size
	}
	o.Literal = (o.Code + 7) &^ 7
	o.Size = o.Literal + 8
	return o
}

// A Want is the word of the model at an address.
type Want struct {
	Word uint32
	Text string // in the assembler's words
	Err  error  // it cannot be encoded there
}

// want is the word of instruction i at the address at of the run's trampoline.
// place gives the addresses of other instructions in the trampoline.
func (m *Model) want(im *elfscan.Image, r *Run, i int, at uint64, place func(origin uint64) (uint64, bool)) Want {
	insn := m.Insns[i]
	encoded := func(w uint32, target uint64) Want {
		word, err := a64.Relocate(w, at, target)
		if err != nil {
			return Want{Err: err, Text: fmt.Sprintf("%v %s", a64.Classify(w), im.At(target))}
		}
		name := im.Name
		if target == r.Func && r.Func != 0 {
			name = func(uint64) string { return "the callback" }
		}
		return Want{Word: word, Text: a64.Text(word, at, name)}
	}
	switch insn.Role {
	case Join, OpPage:
		return Want{Word: a64.NOP, Text: "nop"}
	case OpLoad:
		if r.Literal == 0 {
			return Want{Word: 0x58000002, Text: "ldr x2, the literal"}
		}
		return encoded(0x58000002, r.Literal)
	case CallSlot:
		return encoded(0x94000000, r.Func)
	case GraphSlot:
		if caller, ok := im.Addr("ftrace_graph_caller"); ok && r.Graph {
			return encoded(0x14000000, caller)
		}
		return Want{Word: a64.NOP, Text: "nop"}
	}
	target, ok := a64.Target(insn.Word, insn.Origin)
	if !ok {
		return Want{Word: insn.Word, Text: a64.Text(insn.Word, at, im.Name)}
	}
	if a64.Classify(insn.Word) != a64.ADRP && (m.Entry.Contains(target) || m.Common.Contains(target)) {
		if moved, ok := place(target); ok {
			target = moved
		}
	}
	return encoded(insn.Word, target)
}
