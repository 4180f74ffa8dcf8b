package a64_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"

	"github.com/ftlint/ftlint/internal/child"
)

const pc = 0xffff800010000000 // where the words of these tests stand

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		word uint32
		kind a64.Kind
		text string
	}{
		{0xd503201f, a64.Nop, "nop"},
		{0xd503233f, a64.Landing, "paciasp"},
		{0xd503237f, a64.Landing, "pacibsp"},
		{0xd503241f, a64.Landing, "bti"},
		{0xd503245f, a64.Landing, "bti c"},
		{0xd503249f, a64.Landing, "bti j"},
		{0xd50324df, a64.Landing, "bti jc"},
		{0xd50323bf, a64.Hint, "autiasp"},
		{0xd503203f, a64.Hint, "yield"},
		{0x14000000, a64.Branch, "b"},
		{0x97ffffff, a64.Call, "bl"},
		{0x54000001, a64.BCond, "b.ne"},
		{0xb4000001, a64.CBZ, "cbz"},
		{0x35ffffe3, a64.CBZ, "cbnz"},
		{0x36000000, a64.TBZ, "tbz"},
		{0xb7f80012, a64.TBZ, "tbnz"},
		{0xd61f0200, a64.BR, "br x16"},
		{0xd63f0080, a64.BLR, "blr x4"},
		{0xd65f03c0, a64.Ret, "ret"},
		{0xd65f0120, a64.Ret, "ret x9"},
		{0xd69f03e0, a64.ERet, "eret"},
		{0x10000000, a64.ADR, "adr"},
		{0x90000010, a64.ADRP, "adrp"},
		{0x58000042, a64.LDRLit, "ldr"},
		{0x18000042, a64.LDRLit, "ldr"},
		{0x98000042, a64.LDRLit, "ldrsw"},
		{0x1c000042, a64.LDRLit, "ldr"},
		{0xd4210000, a64.Break, "brk #0x800"},
		{0x910003fd, a64.Other, "mov x29, sp"},
		{0xaa1e03e9, a64.Other, "mov x9, x30"},
		{0xf9400042, a64.Other, "ldr x2, [x2]"},
		{0xd4000001, a64.Other, "svc #0x0"},
		{0x00000000, a64.Other, ""},
		{0xffffffff, a64.Other, ""},
	} {
		if got := a64.Classify(test.word); got != test.kind {
			t.Errorf("%#08x is %v, want %v", test.word, got, test.kind)
		}
		if got := a64.Text(test.word, pc, nil); !strings.HasPrefix(got, test.text) {
			t.Errorf("%#08x reads %q, want %q", test.word, got, test.text)
		}
	}
}

// Kinds have names of their own; which compute an address and which end the
// flow follows from what they do.
func TestKinds(t *testing.T) {
	names := map[string]bool{}
	relative, ends := 0, 0
	for k := a64.Other; k <= a64.Break; k++ {
		if names[k.String()] || k.String() == "" {
			t.Errorf("kind %d is called %q", k, k)
		}
		names[k.String()] = true
		if k.IsPCRelative() != (a64.ReachOf(k) != a64.Reach{}) {
			t.Errorf("%v: PC-relative %v, reach %v", k, k.IsPCRelative(), a64.ReachOf(k))
		}
		if k.IsPCRelative() {
			relative++
		}
		if k.EndsFlow() {
			ends++
		}
	}
	if relative != 8 || ends != 4 {
		t.Errorf("%d kinds are PC-relative, %d end the flow; want 8 and 4", relative, ends)
	}
	for _, k := range []a64.Kind{a64.Branch, a64.BR, a64.Ret, a64.ERet} {
		if !k.EndsFlow() {
			t.Errorf("execution goes on behind %v", k)
		}
	}
}

// Which instructions accept which branches: DDI 0487, D8.4.5, the table of
// BTYPE, with SCTLR_EL1.BT1 set; and the decoding of BTI, BRK and HLT in C6.2.
func TestLandingPads(t *testing.T) {
	for _, test := range []struct {
		word           uint32
		ip, call, jump bool
	}{
		{a64.BTI, false, false, false},
		{a64.BTIc, true, true, false},
		{a64.BTIj, true, false, true},
		{a64.BTIjc, true, true, true},
		{a64.PACIASP, true, true, false},
		{a64.PACIBSP, true, true, false},
		{0xd4200000, true, true, true},    // brk #0
		{0xd4210000, true, true, true},    // brk #0x800
		{0xd4400000, true, true, true},    // hlt #0
		{0xd45fffe0, true, true, true},    // hlt #0xffff
		{0xd4000001, false, false, false}, // svc #0
		{0x00000000, false, false, false}, // udf #0
		{a64.NOP, false, false, false},
		{0xd50323bf, false, false, false}, // autiasp
		{a64.RET, false, false, false},
	} {
		text := a64.Text(test.word, pc, nil)
		for _, c := range []struct {
			branch a64.BranchType
			want   bool
		}{{a64.BranchIP, test.ip}, {a64.BranchCall, test.call}, {a64.BranchJump, test.jump}, {0, true}} {
			if got := c.branch.Accepts(test.word); got != c.want {
				t.Errorf("%v to %s: %v, want %v", c.branch, text, got, c.want)
			}
		}
	}
}

func TestBranchTypeOf(t *testing.T) {
	for _, test := range []struct {
		word uint32
		want a64.BranchType
	}{
		{0xd61f01e0, a64.BranchJump},
		{0xd61f0200, a64.BranchIP},
		{0xd61f0220, a64.BranchIP},
		{0xd61f0240, a64.BranchJump},
		{0xd71f0a01, a64.BranchIP},   // braa x16, x1
		{0xd71f0810, a64.BranchJump}, // braa x0, x16
		{0xd61f0a1f, a64.BranchIP},   // braaz x16
		{0xd63f0000, a64.BranchCall}, // blr x0
		{0xd63f0200, a64.BranchCall}, // blr x16
		{0xd63f081f, a64.BranchCall}, // blraaz x0
		{a64.RET, 0},
		{0xd65f0bff, 0}, // retaa
		{0xd65f0200, 0}, // ret x16
		{0x94000000, 0}, // bl .
		{a64.NOP, 0},
	} {
		if got := a64.BranchTypeOf(test.word); got != test.want {
			t.Errorf("%s: %v, want %v", a64.Text(test.word, pc, nil), got, test.want)
		}
	}
}

// relocatable is a word of each kind of PC-relative instruction, and its
// reach in bytes from DDI 0487: the number of immediate bits, and the unit.
var relocatable = []struct {
	name string
	word uint32
	bits uint
	unit int64
}{
	{"b", 0x14000000, 26, 4},
	{"bl", 0x94000000, 26, 4},
	{"b.eq", 0x54000000, 19, 4},
	{"b.al", 0x5400000e, 19, 4},
	{"cbz w3", 0x34000003, 19, 4},
	{"cbnz x30", 0xb500001e, 19, 4},
	{"tbz w3, #5", 0x36280003, 14, 4},
	{"tbnz x3, #63", 0xb7f80003, 14, 4},
	{"adr x7", 0x10000007, 21, 1},
	{"adrp x7", 0x90000007, 21, 4096},
	{"ldr x2", 0x58000002, 19, 4},
	{"ldrsw x2", 0x98000002, 19, 4},
	{"ldr q2", 0x9c000002, 19, 4},
	{"prfm", 0xd8000002, 19, 4},
}

// Every kind reaches exactly its range: the least and the greatest distance
// can be encoded and are what the word then aims at, one step beyond cannot,
// nor can what lies between two steps.
func TestRangeBorders(t *testing.T) {
	for _, r := range relocatable {
		k := a64.Classify(r.word)
		low, high := -(int64(1)<<(r.bits-1))*r.unit, (int64(1)<<(r.bits-1)-1)*r.unit
		if got, want := a64.ReachOf(k), (a64.Reach{Min: low, Max: high, Step: r.unit}); got != want {
			t.Errorf("%s: reach %+v, want %+v", r.name, got, want)
		}
		for _, off := range []int64{low, low + r.unit, -r.unit, 0, r.unit, high - r.unit, high} {
			target := uint64(pc) + uint64(off)
			w, err := a64.Relocate(r.word, pc, target)
			if err != nil {
				t.Errorf("%s cannot be moved to %+#x: %v", r.name, off, err)
				continue
			}
			if got, ok := a64.Target(w, pc); !ok || got != target {
				t.Errorf("%s for %+#x (%#08x) aims at %+#x", r.name, off, w, int64(got-pc))
			}
			if a64.Classify(w) != k || a64.Rd(w) != a64.Rd(r.word) && k != a64.Branch && k != a64.Call {
				t.Errorf("%s for %+#x became %s", r.name, off, a64.Text(w, pc, nil))
			}
			// Moved back it is the word itself: no other bit was touched.
			if back, err := a64.Relocate(w, pc, pc); err != nil || back != r.word {
				t.Errorf("%s for %+#x and back is %#08x, want %#08x (%v)", r.name, off, back, r.word, err)
			}
		}
		for _, off := range []int64{low - r.unit, high + r.unit, 1 << 40, -1 << 40, -1 << 63} {
			w, err := a64.Relocate(r.word, pc, uint64(pc)+uint64(off))
			var re *a64.RangeError
			if !errors.As(err, &re) || re.Kind != k || re.PC != pc || re.Target != uint64(pc)+uint64(off) || w != 0 {
				t.Errorf("%s for %+#x gives %#08x, %v", r.name, off, w, err)
			} else if want := fmt.Sprintf("the range %+#x..%+#x", low, high); !strings.Contains(err.Error(), want) {
				t.Errorf("%s for %+#x: %q does not say %q", r.name, off, err, want)
			}
		}
		if r.unit == 4 {
			for _, off := range []int64{1, 2, 3, -1, high - 1, low + 2} {
				_, err := a64.Relocate(r.word, pc, uint64(pc)+uint64(off))
				if err == nil || !strings.Contains(err.Error(), "is not a multiple of 4") {
					t.Errorf("%s for %+#x: %v", r.name, off, err)
				}
			}
		}
	}
}

// ADRP counts pages: neither its own place in a page nor the target's counts.
func TestADRPCountsPages(t *testing.T) {
	for _, at := range []uint64{pc, pc + 4, pc + 0xffc} {
		for _, target := range []uint64{pc, pc + 0xfff, pc + 0x1000, pc - 1, pc + 4<<30 - 1, pc - 4<<30} {
			w, err := a64.Relocate(0x90000009, at, target)
			if err != nil {
				t.Errorf("adrp at %#x to %#x: %v", at, target, err)
				continue
			}
			if got, _ := a64.Target(w, at); got != target&^0xfff || a64.Rd(w) != 9 {
				t.Errorf("adrp at %#x to %#x aims at %#x, in x%d", at, target, got, a64.Rd(w))
			}
		}
		for _, target := range []uint64{pc + 4<<30, pc - 4<<30 - 1} {
			if _, err := a64.Relocate(0x90000009, at, target); err == nil {
				t.Errorf("adrp at %#x reaches %#x", at, target)
			}
		}
	}
}

// Addresses wrap, as the processor's do.
func TestWrap(t *testing.T) {
	const low, high = 0x1000, 0xfffffffffffff000
	w, err := a64.EncodeBL(high, low)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := a64.Target(w, high); got != low {
		t.Errorf("bl over the top aims at %#x, want %#x", got, uint64(low))
	}
	if off := a64.Offset(high, low); off != 0x2000 {
		t.Errorf("the offset is %#x", off)
	}
}

func TestEncoders(t *testing.T) {
	check := func(what string, w uint32, err error, want string) {
		t.Helper()
		if got := a64.Text(w, pc, nil); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", what, got, err, want)
		}
	}
	w, err := a64.EncodeB(pc, pc-4)
	check("EncodeB", w, err, "b 0xffff80000ffffffc")
	w, err = a64.EncodeBL(pc, pc+8)
	check("EncodeBL", w, err, "bl 0xffff800010000008")
	check("EncodeMOV", a64.EncodeMOV(9, a64.LR), nil, "mov x9, x30")
	for rd := range 32 {
		for rm := range 32 {
			if gd, gm, ok := a64.IsMOV(a64.EncodeMOV(rd, rm)); !ok || gd != rd || gm != rm {
				t.Errorf("mov x%d, x%d is taken for x%d, x%d, %v", rd, rm, gd, gm, ok)
			}
		}
	}
	for _, w := range []uint32{0x2a1e03e9 /* mov w9, w30 */, 0xaa1e0129 /* orr x9, x9, x30 */, 0xaa1e07e9 /* shifted */, 0x910003fd /* mov x29, sp */, a64.NOP} {
		if _, _, ok := a64.IsMOV(w); ok {
			t.Errorf("%s is taken for MOV Xd, Xm", a64.Text(w, pc, nil))
		}
	}
}

// A word that is not PC-relative is moved as it is, and aims at nothing.
func TestNotRelative(t *testing.T) {
	for _, w := range []uint32{a64.NOP, a64.RET, a64.BTIc, 0xd61f0200, 0xf9400042, 0, 0xffffffff} {
		if got, err := a64.Relocate(w, pc, pc+1<<40); got != w || err != nil {
			t.Errorf("%#08x became %#08x, %v", w, got, err)
		}
		if at, ok := a64.Target(w, pc); ok {
			t.Errorf("%#08x aims at %#x", w, at)
		}
	}
}

// Targets are named where they have a name, and bits of TBZ beyond 31 are told.
func TestText(t *testing.T) {
	name := func(addr uint64) string {
		switch addr {
		case pc + 0x10:
			return "ftrace_common+0x10"
		case pc:
			return "ftrace_common"
		}
		return ""
	}
	for _, test := range []struct {
		word uint32
		want string
	}{
		{0x94000004, "bl ftrace_common+0x10"},
		{0x14000004, "b ftrace_common+0x10"},
		{0x14000008, "b 0xffff800010000020"},
		{0x54000081, "b.ne ftrace_common+0x10"},
		{0xb4000081, "cbz x1, ftrace_common+0x10"},
		{0x35000081, "cbnz w1, ftrace_common+0x10"},
		{0x36280083, "tbz w3, #5, ftrace_common+0x10"},
		{0x37f80083, "tbnz w3, #31, ftrace_common+0x10"},
		{0xb6000083, "tbz x3, #32, ftrace_common+0x10"},
		{0xb7f80083, "tbnz x3, #63, ftrace_common+0x10"},
		{0x3600009f, "tbz wzr, #0, ftrace_common+0x10"},
		{0xb600009f, "tbz xzr, #32, ftrace_common+0x10"},
		{0x10000087, "adr x7, ftrace_common+0x10"},
		{0x90000007, "adrp x7, ftrace_common"},
		{0x58000082, "ldr x2, ftrace_common+0x10"},
		{0x98000082, "ldrsw x2, ftrace_common+0x10"},
		{0xd65f03c0, "ret"},
		{0x00000000, ".inst 0x00000000"},
	} {
		if got := a64.Text(test.word, pc, name); got != test.want {
			t.Errorf("%#08x reads %q, want %q", test.word, got, test.want)
		}
	}
}

// words are some thousand instructions of all classes that ftrace meets, with
// random fields.
func words() (out []uint32) {
	random := rand.New(rand.NewPCG(64, 2020))
	for _, r := range relocatable {
		for range 100 {
			field := uint32(0x00ffffff)
			if r.bits == 26 {
				field = 0x03ffffff
			}
			if r.bits == 21 {
				field |= 3 << 29
			}
			if strings.HasPrefix(r.name, "b.") {
				field &^= 0x10 // that bit makes it BC.cond, which older tools do not know
			}
			out = append(out, r.word&^field|random.Uint32()&field)
		}
	}
	for imm := range uint32(128) { // the hint space
		out = append(out, 0xd503201f|imm<<5)
	}
	for rn := range uint32(32) {
		out = append(out, 0xd61f0000|rn<<5, 0xd63f0000|rn<<5, 0xd65f0000|rn<<5)
	}
	out = append(out, 0xd69f03e0, 0xd65f0bff, 0xd65f0fff, 0xd69f0bff, 0xd71f0a11, 0xd73f0a11, 0xd61f0a1f, 0xd63f0a1f)
	for range 200 {
		out = append(out, 0xd4200000|random.Uint32()&0xffff<<5)
	}
	return out
}

// kinds are the classes by objdump's mnemonics.
var kinds = map[string]a64.Kind{
	"nop": a64.Nop, "bti": a64.Landing, "paciasp": a64.Landing, "pacibsp": a64.Landing,
	"b": a64.Branch, "bl": a64.Call, "cbz": a64.CBZ, "cbnz": a64.CBZ, "tbz": a64.TBZ, "tbnz": a64.TBZ,
	"br": a64.BR, "braa": a64.BR, "braaz": a64.BR, "brab": a64.BR, "brabz": a64.BR,
	"blr": a64.BLR, "blraa": a64.BLR, "blraaz": a64.BLR, "blrab": a64.BLR, "blrabz": a64.BLR,
	"ret": a64.Ret, "retaa": a64.Ret, "retab": a64.Ret, "eret": a64.ERet, "eretaa": a64.ERet, "eretab": a64.ERet,
	"adr": a64.ADR, "adrp": a64.ADRP, "brk": a64.Break,
}

// GNU objdump is the judge of classes, targets and mnemonics.
func TestAgreesWithObjdump(t *testing.T) {
	const tool = "aarch64-linux-gnu-objdump"
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no %s (Debian: binutils-aarch64-linux-gnu)", tool)
	}
	list := words()
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, list); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(path, raw.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := child.Command(t, tool, "-D", "-z", "-b", "binary", "-m", "aarch64", "--adjust-vma="+fmt.Sprintf("%#x", uint64(pc)), path).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.Split(line, "\t") // address:, word, mnemonic, operands
		if len(f) < 3 {
			continue
		}
		addr, err1 := strconv.ParseUint(strings.Trim(f[0], " :"), 16, 64)
		word, err2 := strconv.ParseUint(strings.TrimSpace(f[1]), 16, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		n++
		w, mnemonic := uint32(word), strings.TrimSpace(f[2])
		if mnemonic == "b.nv" { // executes as b.al does
			mnemonic = "b.al"
		}
		if w != list[(addr-pc)/4] {
			t.Fatalf("%#x: %#08x was given, %#08x is read", addr, list[(addr-pc)/4], w)
		}
		want, known := kinds[mnemonic]
		switch {
		case strings.HasPrefix(mnemonic, "b."):
			want, known = a64.BCond, true
		case strings.HasPrefix(mnemonic, "ldr"), mnemonic == "prfm":
			want, known = a64.LDRLit, true
		case w&0xfffff01f == 0xd503201f && !known:
			want, known = a64.Hint, true
		case mnemonic == ".inst":
			want, known = a64.Other, true
		}
		got := a64.Classify(w)
		if !known || got != want {
			t.Errorf("%#08x is %v to us, %s is %q", w, got, tool, strings.Join(f[2:], " "))
			continue
		}
		text := a64.Text(w, addr, nil)
		if got != a64.Hint && got != a64.Other && !strings.HasPrefix(text, ".inst") && strings.Fields(text)[0] != mnemonic {
			t.Errorf("%#08x reads %q, to %s %q", w, text, tool, strings.Join(f[2:], " "))
		}
		if got.IsPCRelative() && len(f) > 3 {
			// "x3, #0x5, 0xffff..." or "... // b.cs"
			operands, _, _ := strings.Cut(f[3], "//")
			operands, _, _ = strings.Cut(operands, "<")
			fields := strings.FieldsFunc(operands, func(r rune) bool { return r == ' ' || r == ',' })
			their, err := strconv.ParseUint(fields[len(fields)-1], 0, 64)
			ours, ok := a64.Target(w, addr)
			if err != nil || !ok || ours != their {
				t.Errorf("%#08x at %#x aims at %#x, to %s %q", w, addr, ours, tool, strings.Join(f[2:], " "))
			}
			if !strings.HasSuffix(text, fmt.Sprintf("%#x", ours)) {
				t.Errorf("%#08x reads %q, it aims at %#x", w, text, ours)
			}
			if got == a64.TBZ && !strings.Contains(text, fields[0]+", #") {
				t.Errorf("%#08x reads %q, to %s %q", w, text, tool, operands)
			}
			if got == a64.TBZ {
				bit, _ := strconv.ParseUint(strings.TrimPrefix(fields[1], "#"), 0, 8)
				if !strings.Contains(text, fmt.Sprintf("#%d,", bit)) {
					t.Errorf("%#08x reads %q, to %s %q", w, text, tool, operands)
				}
			}
		}
	}
	if n != len(list) {
		t.Errorf("%s printed %d of %d words", tool, n, len(list))
	}
}
