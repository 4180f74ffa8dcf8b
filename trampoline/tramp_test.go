package trampoline

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/world"
)

func open(t *testing.T, name string) *callsite.Table {
	t.Helper()
	table, err := callsite.Of(images.Sample(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// The template of the samples: ftrace_caller has 14 instructions and a branch,
// ftrace_regs_caller 23 and a branch, ftrace_common 17, of which the third and
// fourth load function_trace_op and the sixth is ftrace_call.
func TestModelOffsets(t *testing.T) {
	// The end labels of the first stand on the last instruction, those of the
	// second behind it.
	for _, sample := range []string{"builders/rfc-builder.elf", "builders/builder-good.elf"} {
		table := open(t, sample)
		for _, c := range []struct {
			regs, nops bool
			want       Offsets
		}{
			{false, true, Offsets{Code: 0x3c + 0x44, OpLoad: 0x48, Call: 0x50, Graph: 0x54, Literal: 0x80, Size: 0x88}},
			{false, false, Offsets{Code: 0x38 + 0x44, OpLoad: 0x44, Call: 0x4c, Graph: 0x50, Literal: 0x80, Size: 0x88}},
			{true, true, Offsets{Code: 0x60 + 0x44, OpLoad: 0x6c, Call: 0x74, Graph: 0x78, Literal: 0xa8, Size: 0xb0}},
			{true, false, Offsets{Code: 0x5c + 0x44, OpLoad: 0x68, Call: 0x70, Graph: 0x74, Literal: 0xa0, Size: 0xa8}},
		} {
			m, err := NewModel(table, FindTemplate(table), c.regs)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Offsets(c.nops); got != c.want {
				t.Errorf("%s, %s, NOPs kept %v: %+x, want %+x", sample, m.Variant, c.nops, got, c.want)
			}
		}
	}
}

func TestNoModel(t *testing.T) {
	table := open(t, "label-order.elf") // ftrace_common_end stands before ftrace_common
	if _, err := NewModel(table, FindTemplate(table), false); err == nil || !strings.Contains(err.Error(), "no region ftrace_common..ftrace_common_end") {
		t.Errorf("error %v", err)
	}
}

func TestNoBuilder(t *testing.T) {
	for sample, want := range map[string]string{
		"regs-good.elf":                   "no dynamic trampoline builder",
		"callops-good.elf":                "no dynamic trampoline builder",
		"builders/sites-regs-good.elf":    "no dynamic trampoline builder",
		"builders/sites-callops-good.elf": "no dynamic trampoline builder",
	} {
		if got := Build(open(t, sample)); got.None == nil || !strings.Contains(got.None.Error(), want) || len(got.Runs) != 0 {
			t.Errorf("%s: %v and %d runs, %q was expected", sample, got.None, len(got.Runs), want)
		}
	}
	// A builder, but nothing says where the members of the ops are.
	if got := Build(open(t, "rfc-trampoline-nodwarf.elf")); got.Err == nil || !strings.Contains(got.Err.Error(), "struct ftrace_ops") {
		t.Errorf("without type information: error %v", got.Err)
	}
}

// find is the run in a situation.
func find(t *testing.T, all *Results, s Situation, regs, graph bool) *Run {
	t.Helper()
	for i := range all.Runs {
		if r := &all.Runs[i]; r.Situation == s && r.Regs == regs && r.Graph == graph {
			if r.Err != nil {
				t.Fatalf("%v: %v", s, r.Err)
			}
			return r
		}
	}
	t.Fatalf("not run: %v", s)
	return nil
}

func TestEventOrder(t *testing.T) {
	table := open(t, "builders/builder-good.elf")
	im := table.Image
	all := Build(table)
	r := find(t, all, Near, false, true)
	var got []string
	for _, e := range r.Events {
		if e.Kind != world.Gen && e.Kind != world.ReadInsn {
			got = append(got, strings.TrimSpace(e.Kind.String()+" "+e.Func))
		}
	}
	want := []string{
		"allocate module_alloc",
		"copy copy_from_kernel_nofault", "copy copy_from_kernel_nofault",
		"store", "store", "store", "store", "store", // slots cleared; NOP, LDR, literal
		"icache __flush_icache_range", "flush-reset set_vm_flush_reset_perms",
		"protect set_memory_ro", "protect set_memory_x",
		"patch aarch64_insn_patch_text_nosync", "patch aarch64_insn_patch_text_nosync", // fgraph, callback
	}
	if !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !r.Called || !r.Graphed || r.X2 != r.Ops || !r.AllocTramp || r.Size != 0x88 || r.Areas[0].Perms[0] != emu.Read|emu.Exec {
		t.Errorf("called %v, fgraph %v, x2 %#x (ops %#x), flags %#x, size %#x, %v", r.Called, r.Graphed, r.X2, r.Ops, r.Flags, r.Size, r.Areas[0].Perms[0])
	}
	for i := range r.Events { // every one is by code of the builder
		if pc := r.Events[i].PC; !im.IsText(pc) {
			t.Errorf("%s: by %#x", r.Events[i].InWords(im), pc)
		}
	}
	for _, s := range []Situation{FarAbove, FarBelow, FarCallback, NoMemory, BadCopy} {
		r := find(t, all, s, false, s != NoMemory && s != BadCopy)
		if r.Trampoline != 0 || r.AllocTramp || r.Size != 0 {
			t.Errorf("%v: trampoline %#x, flags %#x, size %#x", s, r.Trampoline, r.Flags, r.Size)
		}
		for _, a := range r.Areas {
			if !a.Freed {
				t.Errorf("%v: %#x is not freed", s, a.Addr)
			}
		}
	}
	if r := find(t, all, Updated, true, false); r.Func == find(t, all, Near, true, false).Func || len(r.Diffs) != 0 {
		t.Errorf("after an update: callback %#x, %v", r.Func, r.Diffs)
	}
}

func TestFarRFC(t *testing.T) {
	all := Build(open(t, "builders/rfc-builder.elf"))
	for _, s := range []Situation{FarAbove, FarBelow, FarCallback} {
		r := find(t, all, s, false, false)
		if w, _ := r.Word(r.CallAt); r.Called || r.CallAt != r.Trampoline+0x50 || a64.Classify(w) != a64.Break {
			t.Errorf("%v: %08x at %#x, called %v", s, w, r.CallAt-r.Trampoline, r.Called)
		}
	}
}

// TestCompare changes a good trampoline and looks at what is found.
func TestCompare(t *testing.T) {
	table := open(t, "builders/builder-good.elf")
	im := table.Image
	all := Build(table)
	le := binary.LittleEndian
	op, _ := im.Addr("function_trace_op_ptr")
	adrp, _ := im.Word(op)
	ldr, _ := im.Word(op + a64.Size)
	graphCaller, _ := im.Addr("ftrace_graph_caller")
	const code, opLoad, call, graph, literal = 0x7c, 0x44, 0x4c, 0x50, 0x80
	base := find(t, all, Near, false, true).Trampoline
	// moved makes the PC-relative instructions anew, which lie d bytes further.
	moved := func(b []byte, d int) {
		pc := func(at int) uint64 { return base + uint64(at+d) }
		w, _ := a64.Relocate(0x58000002, pc(opLoad), base+literal) // ldr x2, literal
		le.PutUint32(b[opLoad+d:], w)
		w, _ = a64.EncodeBL(pc(call), find(t, all, Near, false, true).Func)
		le.PutUint32(b[call+d:], w)
		w, _ = a64.EncodeB(pc(graph), graphCaller)
		le.PutUint32(b[graph+d:], w)
	}
	for _, c := range []struct {
		name   string
		change func(b []byte)
		want   []DiffKind
		what   string
	}{
		{"nothing", func([]byte) {}, nil, ""},
		{"no return", func(b []byte) { le.PutUint32(b[code-4:], a64.NOP) }, []DiffKind{MissesReturn}, "ret x9"},
		{"return left out", func(b []byte) { copy(b[code-4:], b[literal:literal+8]) }, []DiffKind{MissesReturn}, "0x38+0x40 bytes"},
		{"another instruction", func(b []byte) { le.PutUint32(b[0x48:], a64.EncodeMOV(3, 4)) }, []DiffKind{Unexplained}, "mov x3, sp"},
		{"an instruction left out", func(b []byte) { copy(b[0x3c:code], b[0x40:code]); moved(b, -4) }, []DiffKind{Unexplained}, "lacks the `mov` at ftrace_common+0x4"},
		{"an instruction too many", func(b []byte) {
			copy(b[0x10:code+4], slices.Clone(b[0xc:code]))
			le.PutUint32(b[0xc:], a64.EncodeMOV(10, 11))
			moved(b, 4)
		}, []DiffKind{Unexplained}, "is not in the model"},
		{"a landing pad before", func(b []byte) {
			copy(b[4:code+4], slices.Clone(b[:code]))
			le.PutUint32(b, a64.BTIc)
			moved(b, 4)
		}, nil, ""},
		{"the ADRP kept", func(b []byte) { le.PutUint32(b[opLoad-4:], adrp) }, []DiffKind{Escapes}, "adrp x2, function_trace_op"},
		{"the LDR kept", func(b []byte) { le.PutUint32(b[opLoad:], ldr) }, []DiffKind{Unexplained}, "ldr x2, [x2]"},
		{"the literal's offset cut", func(b []byte) { le.PutUint32(b[opLoad:], 0x58000002|0x3c/4&7<<5) }, []DiffKind{Unreachable}, "cut to 3 bits"},
		{"the call elsewhere", func(b []byte) {
			w, _ := a64.EncodeBL(base+code-8, base&^0xffff+1<<20)
			le.PutUint32(b[call:], w)
		}, []DiffKind{Unexplained}, "the model has `bl the callback`"},
		{"the call in another slot", func(b []byte) {
			w, _ := a64.EncodeBL(base+0x54, find(t, all, Near, false, true).Func)
			le.PutUint32(b[call:], a64.NOP)
			le.PutUint32(b[0x54:], w)
		}, []DiffKind{WrongSlot}, "`ldp x0, x1, [sp]`"},
		{"fgraph not there", func(b []byte) { le.PutUint32(b[graph:], a64.NOP) }, []DiffKind{Unexplained}, "b ftrace_graph_caller"},
	} {
		r := *find(t, all, Near, false, true)
		r.Areas = slices.Clone(r.Areas)
		r.Areas[0].Bytes = slices.Clone(r.Areas[0].Bytes)
		r.Diffs, r.Literal = nil, 0
		c.change(r.Areas[0].Bytes)
		w := &builder{World: &world.World{Image: im}, table: table, all: all}
		w.compare(&r)
		var got []DiffKind
		text := ""
		for _, d := range r.Diffs {
			got = append(got, d.Kind)
			text += strings.Join(append([]string{d.What}, d.Facts...), "\n") + "\n"
			if d.PC == 0 {
				t.Errorf("%s: %s: nobody wrote it", c.name, d.What)
			}
		}
		if !slices.Equal(got, c.want) || !strings.Contains(text, c.what) {
			t.Errorf("%s: %v, want %v and %q:\n%s", c.name, got, c.want, c.what, text)
		}
	}
}

// TestEveryWordCounts puts another instruction in the place of each word of a
// good trampoline: none goes unnoticed.
func TestEveryWordCounts(t *testing.T) {
	table := open(t, "builders/builder-good-nop.elf")
	im := table.Image
	all := Build(table)
	w := &builder{World: &world.World{Image: im}, table: table, all: all}
	for i := range all.Runs {
		if all.Runs[i].Situation != Near {
			continue
		}
		for at := uint64(0); at < all.Runs[i].Code; at += a64.Size {
			for _, other := range []uint32{a64.EncodeMOV(10, 11), a64.NOP, 0, 0x54000000, 0x14000000, 0x94000000, 0xd4202000} {
				r := all.Runs[i]
				was, _ := r.Word(r.Trampoline + at)
				r.Areas = slices.Clone(r.Areas)
				r.Areas[0].Bytes = slices.Clone(r.Areas[0].Bytes)
				r.Diffs, r.Literal, r.stop = nil, 0, nil
				binary.LittleEndian.PutUint32(r.Areas[0].Bytes[at:], other)
				w.compare(&r)
				if len(r.Diffs) == 0 && was != other {
					t.Errorf("%s, fgraph %v: %08x instead of %08x at +%#x is not found", r.Variant(), r.Graph, other, was, at)
				}
			}
		}
	}
}

func TestHandMade(t *testing.T) {
	table := open(t, "builders/rfc-builder.elf")
	im := table.Image
	r := find(t, Build(table), Near, true, false)
	made := r.HandMade(im)
	if len(made) != 1 || made[0].Constant == nil || uint32(made[0].Constant.Out) != 0x58000002 || made[0].Mask == nil || made[0].Mask.Width != 19 {
		t.Errorf("%+v, one LDR literal of a constant, its offset masked to 19 bits, was expected", made)
	}
	for _, sample := range []string{"builder-good", "builder-good-execmem", "builder-good-plt", "builder-good-static"} {
		table := open(t, "builders/"+sample+".elf")
		im := table.Image
		if made := find(t, Build(table), Near, true, true).HandMade(im); len(made) != 0 {
			t.Errorf("%s: %+v", sample, made)
		}
	}
}
