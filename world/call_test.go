package world

import (
	"errors"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// What no function may do, by the faults of functions that do it.
func TestExecute(t *testing.T) {
	const (
		pushSCS = 0xf800865e // str x30, [x18], #8
		popSCS  = 0xf85f8e5e // ldr x30, [x18, #-8]!
	)
	w, fn := program(t)
	for _, c := range []struct {
		name  string
		words []uint32
		fault string // "" for none
		ends  bool   // the fault ends it
	}{
		{"returns", []uint32{addX0, ret}, "", false},
		{"x19 changes", []uint32{0xd2800013, ret}, "loses its caller's x19", false},
		{"x28 changes", []uint32{0xd280001c, ret}, "loses its caller's x28", false},
		{"FP changes", []uint32{0xd280001d, ret}, "loses its caller's x29", false},
		{"x9 changes", []uint32{0xd2800009, ret}, "", false},
		{"x18 changes, which is any register", []uint32{0xd2800012, ret}, "", false},
		{"x18 changes, where LR is pushed", []uint32{pushSCS, ret}, "loses its caller's x18", false},
		{"x18 is given back", []uint32{pushSCS, popSCS, ret}, "", false},
		{"SP changes", []uint32{0xd10043ff, ret}, "leaves SP at -16 bytes", false},
		{"a frame that is given back", []uint32{pushLR, setFP, popLR, ret}, "", false},
		{"uses x9", []uint32{ldrX0X9, ret}, "uses an address that it was not given: read of unmapped 0x5afe00005afe0009", true},
		{"uses x1, which is no argument", []uint32{ldrX0X1, ret}, "uses an address that it was not given: read of unmapped 0x5afe00005afe0001", true},
		{"uses x9 behind a call", []uint32{pushLR, bl(t, w, 1, "__module_text_address", 0), ldrX0X9, popLR, ret}, "uses an address that it was not given: read of unmapped 0xc10b0000c10b0009", true},
		{"uses its stack before it wrote there", []uint32{ldrStack, ldrX0X0, ret}, "uses an address that it was not given: read of unmapped 0x57ac0000", true},
		{"uses LR", []uint32{0xf94003c0, ret}, "uses an address that it was not given: read of unmapped 0xffffffffff000000", true},           // ldr x0, [x30]
		{"stores behind LR", []uint32{0xa90153d3, ret}, "uses an address that it was not given: write of unmapped 0xffffffffff000010", true}, // stp x19, x20, [x30, #16]
		{"stores before LR", []uint32{0xa93f53d3, ret}, "uses an address that it was not given: write of unmapped 0xfffffffffefffff0", true}, // stp x19, x20, [x30, #-16]
		{"stores behind LR, which it has signed", []uint32{a64.PACIASP, 0xa90153d3, ret}, "uses an address that it was not given: write of unmapped 0x", true},
		{"stores behind the LR of a call, signed", []uint32{pushLR, bl(t, w, 1, fnName, 16), popLR, ret, a64.PACIASP, 0xa90153d3, ret}, "uses an address that it was not given: write of unmapped 0x", true},
		{"uses an error number", []uint32{0x92800000, ldrX0X0, ret}, "uses an address that it was not given: read of unmapped 0xffffffffffffffff", true}, // mov x0, #-1
		{"loads a register twice", []uint32{0xa9407be0 | 30, ret}, "executes an instruction whose effect is left to the processor: unpredictable instruction 0xa9407bfe", true},
		{"a trap that is not of WARN()", []uint32{brkOther, ret}, "comes to a trap: brk #0x5512", true},
		{"calls the kernel", []uint32{0xd4000001, ret}, "raises an exception: exception 0xd4000001", true}, // svc #0
		{"writes to text", []uint32{adrX1, strX0X1, ret}, "writes where it must not: write", true},
		{"checks LR, which it has not signed", []uint32{0xd50323bf, ret}, "checks a return address that it has not signed", true}, // autiasp
		{"signs LR, and does not check it", []uint32{a64.PACIASP, ret}, "goes where no code is", true},
		{"overwrites its stack", []uint32{bl(t, w, 0, "__stack_chk_fail", 0), ret}, "the stack protector found the stack overwritten", true},
		{"calls between functions", []uint32{pushLR, bl(t, w, 1, "vfs_read", 32), popLR, ret}, "calls vfs_read+0x20 (", false},
	} {
		w := put(t, w.Image, c.words...)
		got, returned, err := w.Execute(Subject{fnName, fn, []uint64{7}})
		if err != nil || returned == c.ends {
			t.Errorf("%s: returned %v, error %v", c.name, returned, err)
			continue
		}
		if c.name == "returns" && got != 8 {
			t.Errorf("%s: %d, 8 was expected", c.name, got)
		}
		switch {
		case c.fault == "" && len(w.Faults) > 0:
			t.Errorf("%s: %v", c.name, w.Faults)
		case c.fault != "" && (len(w.Faults) != 1 || !strings.HasPrefix(w.Faults[0].What, c.fault) || w.Faults[0].PC != fn):
			t.Errorf("%s: %v, want %q", c.name, w.Faults, c.fault)
		}
	}
}

// Members of the task and of objects that are not a function's to use are
// addresses of nothing, which Execute knows by their marks.
func TestPoison(t *testing.T) {
	w, fn := program(t, ldrX0X0, ldrX0X0, ret)
	for _, c := range []struct {
		mark  uint64
		fault bool
	}{{StackMark, true}, {TaskMark, true}, {ObjectMark, true}, {0x1234, false}} {
		w.Reset()
		object := w.Object(64)
		if err := w.M.Write(object, Poison(object, 64, c.mark)); err != nil {
			t.Fatal(err)
		}
		_, returned, err := w.Execute(Subject{fnName, fn, []uint64{object + 8}})
		if returned || (err == nil) != c.fault || (len(w.Faults) == 1) != c.fault {
			t.Errorf("mark %#x: returned %v, error %v, faults %v", c.mark, returned, err, w.Faults)
		}
	}
}

// What proves nothing is an error, which names the place.
func TestExecuteNoVerdict(t *testing.T) {
	for _, c := range []struct {
		name   string
		words  []uint32
		reason emu.Reason
		at     string
	}{
		{"an address of nothing", []uint32{farX1, ldrX0X1, ret}, emu.Unmapped, "(" + fnName + "+0x4)"},
		{"a loop without end", []uint32{0x14000000}, emu.StepLimit, "(" + fnName + ")"},
		{"a trap of KASAN", []uint32{0xd4212000, ret}, emu.Break, "(" + fnName + ")"},              // brk #0x900
		{"a call of the hypervisor", []uint32{0xd4000002, ret}, emu.Exception, "(" + fnName + ")"}, // hvc #0
		{"a trap of CFI", []uint32{0xd4304000, ret}, emu.Break, "(" + fnName + ")"},                // brk #0x8200
	} {
		w, fn := program(t, c.words...)
		_, returned, err := w.Execute(Subject{Name: fnName, Fn: fn})
		var stop *emu.Stop
		if returned || len(w.Faults) > 0 || !errors.As(err, &stop) || stop.Reason != c.reason || !strings.HasSuffix(err.Error(), c.at) {
			t.Errorf("%s: returned %v, error %v, faults %v", c.name, returned, err, w.Faults)
		}
	}
}

// A stack trace follows the frame records from FP, each aligned to 8 and on the
// stack, to the one that the caller has.
func TestUnwinds(t *testing.T) {
	const frame = StackTop - 256
	for _, c := range []struct {
		name    string
		fp      uint64
		records map[uint64]uint64
		want    bool
	}{
		{"no record of its own", own | 29, nil, true},
		{"one record", frame, map[uint64]uint64{frame: own | 29}, true},
		{"two records", frame, map[uint64]uint64{frame: frame + 64, frame + 64: own | 29}, true},
		{"a record that is aligned to 8", frame + 8, map[uint64]uint64{frame + 8: own | 29}, true},
		{"a record that is aligned to 4", frame + 4, map[uint64]uint64{frame + 4: own | 29}, false},
		{"a record behind it that is aligned to 4", frame, map[uint64]uint64{frame: frame + 68, frame + 68: own | 29}, false},
		{"a record that is its own caller", frame, map[uint64]uint64{frame: frame}, false},
		{"a record above the stack", Heap, map[uint64]uint64{Heap: own | 29}, false},
		{"a record below the stack", Task, map[uint64]uint64{Task: own | 29}, false},
		{"a record of the caller's caller", StackTop, map[uint64]uint64{StackTop: own | 29}, false},
		{"a record that leads nowhere", frame, map[uint64]uint64{frame: 0}, false},
		{"another register", own | 28, nil, false},
	} {
		w, _ := program(t, ret)
		w.Enter()
		for at, v := range c.records {
			if err := w.M.Write64(at, v); err != nil {
				t.Fatal(err)
			}
		}
		w.M.X[29] = c.fp
		got := w.Unwinds("memcpy")
		if (got == "") != c.want || !c.want && !strings.HasPrefix(got, "no stack trace from its call of memcpy comes back to the caller: FP is 0x") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
