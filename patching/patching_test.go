package patching

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/world"
)

// The interface and the makers of every kernel are as they must be.
func TestKernels(t *testing.T) {
	for _, suite := range images.Kernels {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			runs := Execute(im, false)
			if runs.None != nil || len(runs.Skipped) > 0 {
				t.Errorf("not executed: %v %v", runs.None, runs.Skipped)
			}
			for _, r := range runs.All {
				t.Errorf("%s %s: %v %v", r.Func, r.Case, r.Diffs, r.Err)
			}
			if runs.Places < 15 || runs.Executed < 6*runs.Places {
				t.Errorf("%d calls on %d places are few", runs.Executed, runs.Places)
			}
			for _, exhaustive := range []bool{false, true} {
				if exhaustive && testing.Short() {
					continue
				}
				made := Make(im, false, exhaustive)
				if made.None != nil || len(made.Skipped) > 0 {
					t.Errorf("not executed: %v %v", made.None, made.Skipped)
				}
				for _, w := range made.Wrong {
					t.Errorf("%s returns %08x, not %08x: %v %v (%d cases)", w.Call(), w.Got, w.Want, w.Diffs, w.Err, w.Count)
				}
				if min := map[bool]int{false: 1000, true: 20000}[exhaustive]; made.Executed < min {
					t.Errorf("%d calls of makers are few", made.Executed)
				}
			}
		})
	}
}

// Nothing is executed of an image that lacks what is to be executed.
func TestLack(t *testing.T) {
	im := images.Sample(t, "regs-good.elf")
	var lack *world.Lack
	if runs := Execute(im, false); !errors.As(runs.None, &lack) || runs.Executed > 0 {
		t.Errorf("interface: %v, %d calls", runs.None, runs.Executed)
	}
	if made := Make(im, false, true); !errors.As(made.None, &lack) || made.Executed > 0 {
		t.Errorf("makers: %v, %d calls", made.None, made.Executed)
	}
}

// change puts word in the place of the nth instruction of fn (from 1) that reads
// text.
func change(t *testing.T, im *elfscan.Image, fn, text string, n int, word uint32) {
	t.Helper()
	s, ok := im.Lookup(fn)
	for a := s.Addr; ok && a < s.End(); a += a64.Size {
		w, _ := im.Word(a)
		if strings.HasPrefix(a64.Text(w, a, im.Name), text) {
			if n--; n == 0 {
				if err := im.SetWord(a, word); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	t.Fatalf("%s has no %q", fn, text)
}

// What the functions of the interface do wrong when one of their instructions is
// another one.
func TestInterface(t *testing.T) {
	for _, c := range []struct {
		fn, text string
		n        int
		word     uint32
		wrong    string // the function that is wrong
		diff     string
	}{
		{"aarch64_insn_write", "mov x2, #0x4", 1, 0xd2800102 /* mov x2, #8 */, "aarch64_insn_write", "calls copy_to_kernel_nofault for 8 bytes, not for 4"},
		{"aarch64_insn_write", "add x1, sp, #0x3c", 1, 0x9100e3e1 /* add x1, sp, #56 */, "aarch64_insn_write", "leaves 0x"},
		{"aarch64_insn_write", "bl _raw_spin_unlock_irqrestore", 1, a64.NOP, "aarch64_insn_write", "does not give back patch_lock"},
		{"aarch64_insn_write", "bl _raw_spin_lock_irqsave", 1, a64.NOP, "aarch64_insn_write", "calls __set_fixmap without patch_lock"},
		{"aarch64_insn_write", "bl __set_fixmap", 1, a64.NOP, "aarch64_insn_write", "leaves the page of"},
		{"aarch64_insn_write", "mov x1, x20", 1, 0xaa1303e1 /* mov x1, x19 */, "aarch64_insn_write", "leaves interrupts otherwise"},
		{"aarch64_insn_write", "mov w0, w19", 1, 0x52800000 /* mov w0, #0 */, "aarch64_insn_write", "returns 0, not -14 (-EFAULT)"},
		{"aarch64_insn_write", "bl patch_map", 1, 0x14000000 /* b . */, "aarch64_insn_write", "does not come to its end"},
		{"aarch64_insn_write", "bl patch_map", 1, a64.NOP, "aarch64_insn_write", "where it has mapped nothing"},
		{"patch_map", "mov x2, #0x703", 1, 0xd280f062 /* mov x2, #0x783 */, "aarch64_insn_write", "not writable by the kernel alone"},
		{"patch_map", "movk x2, #0x68, lsl #48", 1, 0xf2e00902 /* movk x2, #0x48, lsl #48 */, "aarch64_insn_write", "writable and executable"},
		{"patch_map", "sub x1, x19, x1", 1, 0x8b010261 /* add x1, x19, x1 */, "aarch64_insn_write", "maps the physical page"},
		{"patch_map", "mov w0, #0x4", 1, 0x528000a0 /* mov w0, #5 */, "aarch64_insn_write", "where it has mapped nothing"},
		{"patch_map", "and x0, x19, #0xfff", 1, 0x92402e60 /* and x0, x19, #0xfff: as it was */, "", ""},
		{"patch_map", "and x0, x19, #0xfff", 1, 0x92402a60 /* and x0, x19, #0x7ff */, "aarch64_insn_write", "writes"},
		{"patch_map", "cbz w0", 1, a64.NOP, "aarch64_insn_write", "maps the physical page"},
		{"patch_map", "cbz x0", 1, a64.NOP, "aarch64_insn_write", "goes on where vmalloc_to_page finds no page"},
		{"patch_map", "asr x0, x0, #6", 1, 0x9345fc00 /* asr x0, x0, #5 */, "aarch64_insn_write", "maps the physical page"},
		{"aarch64_insn_write", "bl patch_map", 1, 0x91400bff /* add sp, sp, #2, lsl #12 */, "aarch64_insn_write", "uses memory that it must not: read of unmapped 0xffff000020010fd0"},
		{"patch_map", "adrp x1", 1, 0xd2a24681 /* mov x1, #0x12340000 */, "aarch64_insn_write", "uses memory that it must not: read of unmapped 0x1234"},
		{"core_kernel_text", "ccmp", 1, a64.NOP, "aarch64_insn_write", "maps the physical page"},
		{"aarch64_insn_patch_text_nosync", "b.ne", 1, a64.NOP, "aarch64_insn_patch_text_nosync", "returns 0, not -22 (-EINVAL)"},
		{"aarch64_insn_patch_text_nosync", "cbnz w0", 1, a64.NOP, "aarch64_insn_patch_text_nosync", "returns 0, not -14"},
		{"aarch64_insn_patch_text_nosync", "bl caches_clean_inval_pou", 1, a64.NOP, "aarch64_insn_patch_text_nosync", "does not clean the data cache"},
		{"aarch64_insn_patch_text_nosync", "add x1, x19, #0x4", 1, 0x91010261 /* add x1, x19, #64 */, "aarch64_insn_patch_text_nosync", "maintains the caches of"},
		{"copy_to_kernel_nofault", "str w3, [x0]", 1, a64.NOP, "aarch64_insn_write", "leaves 0x"},
		{"copy_to_kernel_nofault", "str w3, [x0]", 1, 0x79000003 /* strh w3, [x0] */, "aarch64_insn_write", "leaves 0x"},
		{"copy_to_kernel_nofault", "ldr w3, [x1]", 1, 0xb9000003 /* str w3, [x0] */, "aarch64_insn_write", "writes 4 bytes in 2 stores"},
		{"copy_from_kernel_nofault", "str w3, [x0]", 1, a64.NOP, "aarch64_insn_read", "stores 0x"},
		{"caches_clean_inval_pou", "dsb ish", 1, a64.NOP, "aarch64_insn_patch_text_nosync", "does not wait (DSB) for its cleaning"},
		{"caches_clean_inval_pou", "dsb ish", 2, a64.NOP, "aarch64_insn_patch_text_nosync", "does not wait (DSB) for its maintenance"},
		{"caches_clean_inval_pou", "isb", 1, a64.NOP, "aarch64_insn_patch_text_nosync", "does not drop what was fetched"},
		{"aarch64_insn_read", "str w1, [x19]", 1, a64.NOP, "aarch64_insn_read", "stores nothing, not the word"},
		{"aarch64_insn_read", "mov x1, x0", 1, 0x91001001 /* add x1, x0, #4 */, "aarch64_insn_read", "calls copy_from_kernel_nofault for 4 bytes at"},
		{"aarch64_insn_read", "cbnz w0", 1, a64.NOP, "aarch64_insn_read", "although the copy failed"},
	} {
		im := images.Sample(t, "patching-good.elf")
		change(t, im, c.fn, c.text, c.n, c.word)
		runs := Execute(im, false)
		if c.diff == "" {
			if len(runs.All) > 0 {
				t.Errorf("as it was: %+v", runs.All)
			}
			continue
		}
		if len(runs.All) == 0 {
			t.Errorf("%s, %s is %08x: nothing is wrong", c.fn, c.text, c.word)
			continue
		}
		r := runs.All[0]
		if r.Func != c.wrong || !slices.ContainsFunc(r.Diffs, func(d string) bool { return strings.Contains(d, c.diff) }) {
			t.Errorf("%s, %s is %08x: %s %s: %q %v; %q is expected", c.fn, c.text, c.word, r.Func, r.Case, r.Diffs, r.Err, c.diff)
		}
	}
}

// In a kernel with BTI, a branch through a register lands on a pad.
func TestGuarded(t *testing.T) {
	im := images.Sample(t, "patching-good.elf")
	change(t, im, "aarch64_insn_write", "ret", 1, 0xd61f03c0) // br x30
	change(t, im, "aarch64_insn_gen_move_reg", "ret", 1, 0xd61f03c0)
	runs, made := Execute(im, false), Make(im, false, false)
	if len(runs.All)+len(made.Wrong) > 0 {
		t.Errorf("without BTI: %+v %+v", runs.All, made.Wrong)
	}
	const want = "no landing pad is"
	if runs = Execute(im, true); len(runs.All) == 0 || !strings.Contains(strings.Join(runs.All[0].Diffs, ";"), want) {
		t.Errorf("interface: %+v", runs.All)
	}
	if made = Make(im, true, false); len(made.Wrong) != 1 || !strings.Contains(strings.Join(made.Wrong[0].Diffs, ";"), "returns by a BR") {
		t.Errorf("makers: %+v", made.Wrong)
	}
	change(t, im, "aarch64_insn_gen_move_reg", "br x30", 1, a64.RET)
	if made = Make(im, true, false); len(made.Wrong) > 0 {
		t.Errorf("makers: %+v", made.Wrong)
	}
}

// In a kernel without a table of all struct pages, the interface looks for those of a
// section. If it looks elsewhere, no function can write, and that is a proof.
func TestSections(t *testing.T) {
	for _, c := range []struct {
		text string
		word uint32
		at   string // where it looks
	}{
		{"ldr x0, [x1]", a64.NOP, "read of unmapped 0x1"},
		{"cbz x1", 0xb50000c1 /* cbnz x1 */, "read of unmapped 0xffff0020"},
	} {
		im := images.Built(t, "regs-gcc", false)
		if runs := Execute(im, false); len(runs.All)+len(runs.Skipped) > 0 {
			t.Fatalf("as it is: %+v %v", runs.All, runs.Skipped)
		}
		change(t, im, "__aarch64_insn_write", c.text, 1, c.word)
		runs := Execute(im, false)
		if len(runs.All) == 0 || !strings.Contains(strings.Join(runs.All[0].Diffs, ";"), "uses memory that it must not: "+c.at) {
			t.Errorf("%s is %08x: %+v", c.text, c.word, runs.All)
		}
	}
}

// What the makers do wrong.
func TestMakers(t *testing.T) {
	for _, c := range []struct {
		fn, text string
		word     uint32
		call     string // that goes wrong first
		want     string // what is wrong
	}{
		{"aarch64_insn_gen_branch_imm", "asr x2, x1, #2", 0x9341fc22 /* asr x2, x1, #1 */, "aarch64_insn_gen_branch_imm(0xffff800008123ac4, 0xffff800010123ac0, 0x1)", "97fffffe"},
		{"aarch64_insn_gen_branch_imm", "mov x3, #0x8000000", 0xd2a08003 /* mov x3, #0x4000000 */, "aarch64_insn_gen_branch_imm(0xffff800008123ac4, 0xffff800010123ac4, 0x1)", "96000000"},
		{"aarch64_insn_gen_branch_imm", "cbnz x3", a64.NOP, "aarch64_insn_gen_branch_imm(0xffff800008123ac4, 0xffff800010123ac4, 0x1)", "96000000"},
		{"aarch64_insn_gen_branch_imm", "b.ne", a64.NOP, "aarch64_insn_gen_branch_imm(0xffff800008123ac5, 0xffff800008123b05, 0x1)", "94000010"},
		{"aarch64_insn_gen_move_reg", "orr w3, w3, w2, lsl #31", a64.NOP, "aarch64_insn_gen_move_reg(0x0, 0x1e, 0x1)", "2a1e03e0"},
		{"aarch64_insn_gen_move_reg", "cbnz w3", 0x14000000 /* b . */, "aarch64_insn_gen_move_reg(0x0, 0x1e, 0x1)", "does not come to its end"},
		{"aarch64_insn_gen_move_reg", "cbnz w3", 0x52800013 /* mov w19, #0 */, "aarch64_insn_gen_move_reg(0x0, 0x1e, 0x1)", "loses its caller's x19"},
		{"aarch64_insn_encode_immediate", "and w2, w2, w7", a64.NOP, "aarch64_insn_gen_branch_imm(0xffff800008123ac4, 0xffff800000123ac4, 0x1)", "fe000000"},
		{"aarch64_insn_encode_immediate", "bfi w1, w2, #5, #19", a64.NOP, "aarch64_insn_encode_immediate(0x0, 0x0, 0x1fffff)", "60000000"},
	} {
		im := images.Sample(t, "patching-good.elf")
		change(t, im, c.fn, c.text, 1, c.word)
		made := Make(im, false, false)
		i := slices.IndexFunc(made.Wrong, func(w Wrong) bool { return w.Call() == c.call })
		if i < 0 {
			t.Errorf("%s, %s is %08x: wrong is %+v; %s is expected", c.fn, c.text, c.word, made.Wrong, c.call)
			continue
		}
		w := made.Wrong[i]
		if got := strings.Join(w.Diffs, "; "); w.Err != nil || !strings.Contains(got, c.want) && !(got == "" && c.want == fmt.Sprintf("%08x", w.Got)) {
			t.Errorf("%s, %s is %08x: returns %08x: %s %v; %s is expected", c.fn, c.text, c.word, w.Got, got, w.Err, c.want)
		}
	}
}

func BenchmarkExecute(b *testing.B) {
	im := images.Kernel(b, "trixie")
	for b.Loop() {
		Execute(im, false)
	}
}

func BenchmarkMake(b *testing.B) {
	im := images.Kernel(b, "trixie")
	for b.Loop() {
		Make(im, false, false)
	}
}

// What is wrong with a maker of the BPF JIT that many operands show, the few of the
// default run show as well, in most of its instructions.
func TestFew(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: short, or under the race detector")
	}
	im := images.Kernel(t, "trixie")
	made := func(m *maker, exhaustive bool) bool {
		c := newCases(im, false)
		c.execute(m, exhaustive)
		return len(c.made.Wrong) > 0
	}
	shown, all := 0, 0
	for i := range makersOfJIT {
		m := &makersOfJIT[i]
		fn, ok := im.Lookup(m.name)
		if !ok || m.typed {
			continue
		}
		for a := fn.Addr; a < fn.End(); a += a64.Size {
			old, _ := im.Word(a)
			for _, m2 := range mutants.Of(a, old, 0, false) {
				if err := im.SetWord(a, m2.Words[0]); err != nil {
					t.Fatal(err)
				}
				if made(m, false) {
					shown, all = shown+1, all+1
				} else if made(m, true) {
					all++
					t.Logf("%s: %v is shown by many operands alone", m.name, &m2)
				}
			}
			if err := im.SetWord(a, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if t.Logf("%d of %d", shown, all); shown*100 < 99*all || all < 500 {
		t.Errorf("few operands show %d of %d mutants that many show", shown, all)
	}
}
