package world

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/images"
)

// trace is what a Tracer notes of a function of these words.
func trace(t *testing.T, words []uint32, args ...uint64) (*World, *Tracer) {
	t.Helper()
	w, fn := program(t, words...)
	tr := NewTracer(w)
	if _, err := tr.Execute(Subject{fnName, fn, args}); err != nil {
		t.Fatalf("%08x: %v", words, err)
	}
	return w, tr
}

// What is noted of an instruction: the constant that it makes, the bits that it
// cuts off, the values that it compares, and those whose upper bits alone it
// looks at.
func TestTracer(t *testing.T) {
	const arg0, arg1 = 0xffff_ffff_1234_5678, 0x40
	type noted struct {
		constants []uint64
		masks     []Traced // without PC
		compares  [][2]uint64
		bounded   []uint64
	}
	for _, c := range []struct {
		asm   string
		words []uint32
		want  noted
	}{
		{"mov w0, #0x58000000: ldr w0, literal", []uint32{0x52ab0000}, noted{constants: []uint64{0x58000000}}},
		{"mov w1, #2; movk w1, #0x5800, lsl #16", []uint32{0x52800041, 0x72ab0001}, noted{constants: []uint64{0x58000002}}},
		{"mov w0, #5: a small number", []uint32{0x528000a0}, noted{}},
		{"mov w0, #0x201f; movk w0, #0xd503, lsl #16: NOP", []uint32{0x528403e0, 0x72baa060}, noted{}},
		{"orr w1, w1, #0x18000000: ldr w0, literal", []uint32{0x32050421}, noted{constants: []uint64{0x18000000}}},
		{"and w0, w0, #0x7ffff", []uint32{0x12004800}, noted{masks: []Traced{{In: arg0, Out: 0x45678, Width: 19}}}},
		{"mov w1, #0x7ffff; and w0, w0, w1", []uint32{0x12bfff01, 0x0a010000}, noted{masks: []Traced{{In: 0x12345678, Out: 0x45678, Width: 19}}}},
		{"mov w1, #0x7ffff; and w0, w1, w0", []uint32{0x12bfff01, 0x0a000020}, noted{masks: []Traced{{In: 0x12345678, Out: 0x45678, Width: 19}}}},
		{"ubfx w0, w0, #2, #19", []uint32{0x53025000}, noted{masks: []Traced{{In: 0x12345678, Out: 0x12345678 >> 2 & 0x7ffff, Width: 19}}}},
		{"lsr x0, x0, #14", []uint32{0xd34efc00}, noted{bounded: []uint64{arg0}}},
		{"lsr x0, x0, #13: too many bits are left", []uint32{0xd34dfc00}, noted{}},
		{"tst x0, #0xffffffffffff0000", []uint32{0xf270bc1f}, noted{bounded: []uint64{arg0}}},
		{"tst x0, #3: lower bits", []uint32{0xf240041f}, noted{}},
		{"cmp x0, x1", []uint32{0xeb01001f}, noted{compares: [][2]uint64{{arg0, arg1}}}},
		{"cmp w0, w1", []uint32{0x6b01001f}, noted{compares: [][2]uint64{{0x12345678, arg1}}}},
		{"cmp w0, #0x10", []uint32{0x7100401f}, noted{compares: [][2]uint64{{0x12345678, 0x12345678}}}},
		{"cmp sp, #0x10", []uint32{0xf10043ff}, noted{compares: [][2]uint64{{StackTop, StackTop}}}},
		{"ccmp x0, x1, #0, eq", []uint32{0xfa410000}, noted{compares: [][2]uint64{{arg0, arg1}}}},
		{"add x0, x0, #1", []uint32{addX0}, noted{}},
	} {
		w, tr := trace(t, append(c.words, ret), arg0, arg1)
		var got noted
		for _, k := range tr.Numbers.Constants {
			got.constants = append(got.constants, k.Out)
		}
		last := addrOf(t, w, fnName) + uint64(len(c.words)-1)*a64.Size
		for _, m := range tr.Numbers.Masks {
			if m.PC != last {
				t.Errorf("%s: masked at %#x", c.asm, m.PC)
			}
			m.PC = 0
			got.masks = append(got.masks, m)
		}
		got.compares, got.bounded = tr.Numbers.Compares, tr.Numbers.Bounded
		if !slices.Equal(got.constants, c.want.constants) || !slices.Equal(got.masks, c.want.masks) || !slices.Equal(got.compares, c.want.compares) || !slices.Equal(got.bounded, c.want.bounded) {
			t.Errorf("%s: %x, want %x", c.asm, got, c.want)
		}
		if len(w.Faults) > 0 {
			t.Errorf("%s: %v", c.asm, w.Faults)
		}
	}
}

// What went into a word that is stored: the constants and the masks that it was
// made of, and no others.
func TestMade(t *testing.T) {
	const strW1X0 = 0xb9000001 // str w1, [x0]
	for _, c := range []struct {
		asm             string
		words           []uint32
		constant, masks []bool // by index in the trace
	}{
		{"a constant with a masked offset", []uint32{
			0x52800041, // mov w1, #2
			0x72ab0001, // movk w1, #0x5800, lsl #16
			0x12004842, // and w2, w2, #0x7ffff
			0x2a021421, // orr w1, w1, w2, lsl #5
		}, []bool{true}, []bool{true}},
		{"an offset that is masked and not used", []uint32{0x52800041, 0x72ab0001, 0x12004842}, []bool{true}, []bool{false}},
		{"a constant that is overwritten", []uint32{
			0x52ab0001, // mov w1, #0x58000000
			0x52a28001, // mov w1, #0x14000000
		}, []bool{false, true}, nil},
		{"a constant in w3, and mov w1, #3", []uint32{0x52ab0003, 0x52800061}, []bool{false}, nil},
		{"a constant that is overwritten by one of no instruction", []uint32{0x52ab0001, 0x528000a1}, []bool{false}, nil},
		{"two constants", []uint32{
			0x52ab0001, // mov w1, #0x58000000
			0x52a28003, // mov w3, #0x14000000
			0x2a030021, // orr w1, w1, w3
		}, []bool{true, true}, nil},
	} {
		w := put(t, images.Sample(t, "builders/builder-good.elf"), append(c.words, strW1X0, ret)...)
		mem, tr := NewMemory(w), NewTracer(w)
		mem.Reset(memoryAt)
		area := call(t, w, "module_alloc", 64)
		w.Events = w.Events[:0]
		if _, err := tr.Execute(Subject{fnName, addrOf(t, w, fnName), []uint64{area, 0, 0xffffff}}); err != nil {
			t.Fatalf("%s: %v", c.asm, err)
		}
		if len(w.Events) != 1 || w.Events[0].Kind != Store || len(tr.Made) != 1 {
			t.Fatalf("%s: events %v, made %v", c.asm, w.Events, tr.Made)
		}
		var constants, masks []bool
		for i := range tr.Numbers.Constants {
			constants = append(constants, tr.Made[0].HasConstant(i))
		}
		for i := range tr.Numbers.Masks {
			masks = append(masks, tr.Made[0].HasMask(i))
		}
		if !slices.Equal(constants, c.constant) || !slices.Equal(masks, c.masks) {
			t.Errorf("%s: constants %v, masks %v; want %v, %v", c.asm, constants, masks, c.constant, c.masks)
		}
	}
}

// A maker of instructions is one event, with what it returns: how it makes them
// is its own affair. Calls clobber what the code before them knew.
func TestMakers(t *testing.T) {
	w, fn := program(t)
	w, tr := trace(t, []uint32{pushLR, setFP, bl(t, w, 2, "aarch64_insn_gen_branch_imm", 0), popLR, ret}, fn, fn+64, 1)
	if len(w.Events) != 1 || w.Events[0].Kind != Gen || w.Events[0].Func != "aarch64_insn_gen_branch_imm" || w.Events[0].PC != fn+8 || w.Events[0].Addr != fn {
		t.Fatalf("events %+v", w.Events)
	}
	if got := uint32(w.Events[0].Value); a64.Classify(got) != a64.Call {
		t.Errorf("it made %s", a64.Text(got, fn, w.Image.Name))
	}
	if n := tr.Numbers; len(n.Constants)+len(n.Masks)+len(n.Compares)+len(n.Bounded) > 0 {
		t.Errorf("noted of the maker: %+v", n)
	}
	if len(w.Faults) > 0 || w.M.X[9]>>32 != clobbered>>32 {
		t.Errorf("faults %v, x9 is %#x", w.Faults, w.M.X[9])
	}
}

// What a function may not do is noted at the instruction that does it.
func TestTracerFaults(t *testing.T) {
	w, fn := program(t)
	protects := bl(t, w, 2, "set_memory_ro", 0)
	for _, c := range []struct {
		name  string
		words []uint32
		fault string // "" for none
		at    uint64 // words from the beginning
	}{
		{"a call with a frame record", []uint32{pushLR, setFP, protects, popLR, ret}, "", 0},
		{"a call with a record that is not aligned", []uint32{pushLR, 0x910013fd /* add x29, sp, #4 */, protects, popLR, ret}, "no stack trace from its call of set_memory_ro comes back", 2},
		{"a call between functions", []uint32{pushLR, setFP, bl(t, w, 2, "vfs_read", 32), popLR, ret}, "calls vfs_read+0x20", 2},
		{"a call that is not reached", []uint32{ret, setFP, bl(t, w, 2, "vfs_read", 32)}, "", 0},
		{"SP changes", []uint32{0xd10043ff, ret}, "leaves SP at -16 bytes", 0},
		{"x19 changes", []uint32{0xd2800013, ret}, "loses its caller's x19", 0},
		{"uses x9", []uint32{ldrX0X9, ret}, "uses an address that it was not given", 0},
		{"writes to text", []uint32{adrX1, strX0X1, ret}, "writes where it must not", 0},
	} {
		w := put(t, images.Sample(t, "builders/builder-good.elf"), c.words...)
		mem, tr := NewMemory(w), NewTracer(w)
		mem.Reset(memoryAt)
		if _, err := tr.Execute(Subject{fnName, fn, []uint64{memoryAt, 1}}); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		switch {
		case c.fault == "" && len(w.Faults) > 0:
			t.Errorf("%s: %v", c.name, w.Faults)
		case c.fault != "" && (len(w.Faults) != 1 || !strings.Contains(w.Faults[0].What, c.fault) || w.Faults[0].PC != fn+c.at*a64.Size):
			t.Errorf("%s: %v, want %q at word %d", c.name, w.Faults, c.fault, c.at)
		}
	}
}

// A trace has an end, and leaves the World as it was.
func TestTracerEnds(t *testing.T) {
	for _, c := range []struct {
		words  []uint32
		reason emu.Reason
	}{
		{[]uint32{0x14000000}, emu.StepLimit}, // b .
		{[]uint32{farX1, ldrX0X1, ret}, emu.Unmapped},
	} {
		w, fn := program(t, c.words...)
		limit := w.M.MaxSteps
		var stop *emu.Stop
		if _, err := NewTracer(w).Execute(Subject{Name: fnName, Fn: fn}); !errors.As(err, &stop) || stop.Reason != c.reason || !strings.Contains(err.Error(), "("+fnName) {
			t.Errorf("%08x: %v", c.words, err)
		}
		if w.M.MaxSteps != limit || w.AtCall != nil || w.from != 0 || w.M.Steps > 2*maxTrace {
			t.Errorf("%08x: limit %d, %d steps, called from %#x", c.words, w.M.MaxSteps, w.M.Steps, w.from)
		}
	}
}
