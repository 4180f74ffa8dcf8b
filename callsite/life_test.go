package callsite_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

func executor(t testing.TB, im *elfscan.Image) *callsite.Executor {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	f, err := callsite.NewExecutor(table)
	if err != nil {
		if _, has := im.Addr("ftrace_make_call"); has {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return f
}

// callsites are the callsites of the image whose words are as built.
func callsites(t testing.TB, im *elfscan.Image) []callsite.Site {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil || table.Entries == nil {
		t.Fatalf("no callsites: %v", err)
	}
	sites := slices.DeleteFunc(table.Sites(), func(s callsite.Site) bool { return !s.OK || s.Saved >= 0 })
	if len(sites) == 0 {
		t.Fatal("no callsite is as built")
	}
	return sites
}

// problem says what is wrong with a run; "" if nothing is.
func problem(r *callsite.Run) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	if s := r.Failed(); s != nil {
		return fmt.Sprintf("%s (%s) returns %d, want %s; leaves %x, want %x; %v", s.Func, s.Case, s.Returned, s.WantRet, s.Got, s.Want, s.Diffs)
	}
	return ""
}

// Every callsite lives as the model says. With -short every 50th is executed.
func TestEveryCallsite(t *testing.T) {
	images.Each(t, func(t *testing.T, im *elfscan.Image) {
		sites := callsites(t, im)
		if testing.Short() {
			every50th := sites[:0]
			for i := 0; i < len(sites); i += 50 {
				every50th = append(every50th, sites[i])
			}
			sites = every50th
		}
		first := executor(t, im)
		workers := min(len(sites), runtime.GOMAXPROCS(0))
		var wg sync.WaitGroup
		for i := range workers {
			f := first
			if i > 0 {
				f = first.Fork()
			}
			wg.Go(func() {
				bad := 0
				for _, s := range sites[i*len(sites)/workers : (i+1)*len(sites)/workers] {
					r := f.Run(s.Entry)
					if p := problem(&r); p != "" && bad < 3 {
						bad++
						t.Errorf("callsite %s: %s", im.At(s.Entry), p)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%d callsites", len(sites))
	})
}

func TestBorders(t *testing.T) {
	images.Each(t, func(t *testing.T, im *elfscan.Image) {
		borders := executor(t, im).Borders(callsites(t, im)[0].Entry)
		seen := map[int64]bool{}
		for _, b := range borders {
			if reach := b.Distance >= -128<<20 && b.Distance < 128<<20; b.Reachable != reach {
				t.Errorf("%+#x bytes away: reachable %v", b.Distance, b.Reachable)
			}
			if b.Err != nil || !b.OK {
				t.Errorf("%s, %+#x bytes away: %+v", b.Func, b.Distance, b)
			}
			if b.Func == "ftrace_make_call" {
				seen[b.Distance] = true
			}
		}
		if len(seen) != len(callsite.BorderDistances) {
			t.Errorf("%d distances, want %d", len(seen), len(callsite.BorderDistances))
		}
	})
}

func TestCorners(t *testing.T) {
	images.Each(t, func(t *testing.T, im *elfscan.Image) {
		types := callsite.ReadTypes(im, false)
		runs, skipped := executor(t, im).Corners(callsites(t, im)[0].Entry, types)
		modules := 0
		for i := range runs {
			if p := problem(&runs[i]); p != "" {
				t.Error(p)
			}
			if len(runs[i].Steps) > 0 && strings.HasPrefix(runs[i].Steps[len(runs[i].Steps)-1].Case, "in a module") {
				modules++
			}
		}
		kernel := strings.Contains(im.Path, "/current/")
		_, far := im.FarBase()
		switch {
		case kernel && (skipped != nil || modules < 10):
			t.Errorf("%d runs in modules, not executed: %v", modules, skipped)
		case !kernel && (modules > 0 || far != (len(skipped) == 1 && strings.HasPrefix(skipped[0].Error(), "callsites of far modules ("))):
			t.Errorf("the sample has no BTF: %d runs in modules, not executed: %v, modules can be far: %v", modules, skipped, far)
		}
		t.Logf("%d corner cases, %d in modules", len(runs), modules)
	})
}

// ftrace_init_nop() decides in which register a callsite saves LR.
func TestSavedRegister(t *testing.T) {
	im := images.Sample(t, "builders/sites-regs-good.elf")
	entry := callsites(t, im)[0].Entry
	if reg, ok := executor(t, im).SavedRegister(entry); reg != callsite.SavedLR || !ok {
		t.Errorf("x%d, %v", reg, ok)
	}
	// MOV W0, #0x0e9 | MOVK W0, #0xaa1e, LSL #16: MOV X10, LR
	overwrite(t, im, "aarch64_insn_gen_move_reg", 0x52807d40, 0x72b543c0, a64.RET)
	if reg, ok := executor(t, im).SavedRegister(entry); reg != 10 || !ok {
		t.Errorf("after the change x%d, %v; want x10", reg, ok)
	}
}

// overwrite puts words at a function.
func overwrite(t *testing.T, im *elfscan.Image, name string, words ...uint32) {
	t.Helper()
	fn, ok := im.Addr(name)
	if !ok {
		t.Fatalf("no %s", name)
	}
	for i, w := range words {
		if err := im.SetWord(fn+uint64(i)*a64.Size, w); err != nil {
			t.Fatal(err)
		}
	}
}

// A function that does something wrong is noticed, and the step says what it is.
func TestBrokenSiteFunctions(t *testing.T) {
	const (
		ret0    = 0x52800000 // mov w0, #0
		einval  = 0x128002a0 // mov w0, #-22
		clobber = 0xd2800013 // mov x19, #0
		above   = 0xf90007e0 // str x0, [sp, #8]
		garbage = 0xf9400120 // ldr x0, [x9]
		subSP   = 0xd10043ff // sub sp, sp, #16
		current = 0xd5384109 // mrs x9, sp_el0
		task    = 0xf9010120 // str x0, [x9, #512]
		info    = 0xf9000521 // str x1, [x9, #8]
		rec     = 0xf900001f // str xzr, [x0]
		spin    = 0x14000000 // b .
		warn    = 0xd4210000 // brk #0x800
		trap    = 0xd4207d00 // brk #0x3e8
		twice   = 0xa94003e0 // ldp x0, x0, [sp]
		udf     = 0x00000000 // udf #0
		nobody  = 0x06000000 // in a group of encodings that has no instruction
		ror     = 0x0bc00000 // add w0, w0, w0 with shift 3, which is reserved
		fadd    = 0x1e602800 // fadd d0, d0, d0
		lr0     = 0xd280001e // mov x30, #0
		lr2     = 0x91000bde // add x30, x30, #2
		toStack = 0x910003fe // mov x30, sp
		blr0    = 0xd63f0000 // blr x0
		back128 = 0x16000000 // b .-128M
		oddSP   = 0xd10023ff // sub sp, sp, #8
		push    = 0xf90003e0 // str x0, [sp]
		ret     = a64.RET
	)
	for _, c := range []struct {
		what, fn string
		words    []uint32
		want     string // in problem
	}{
		{"does nothing", "ftrace_make_nop", []uint32{ret0, ret}, "ftrace_make_nop () returns 0, want 0; leaves"},
		{"refuses", "ftrace_make_call", []uint32{einval, ret}, "ftrace_make_call () returns -22, want 0"},
		{"loses x19", "ftrace_make_call", []uint32{clobber, ret0, ret}, "loses its caller's x19"},
		{"loses SP", "ftrace_make_call", []uint32{subSP, ret0, ret}, "leaves SP at -16"},
		{"writes to its caller's stack", "ftrace_make_call", []uint32{above, ret0, ret}, "writes where it must not"},
		{"writes to the record", "ftrace_make_call", []uint32{rec, ret0, ret}, "writes where it must not"},
		{"uses garbage", "ftrace_make_call", []uint32{garbage, ret}, "uses an address that it was not given"},
		{"writes to the task", "ftrace_init_nop", []uint32{current, task, ret0, ret}, "into the task (+0x200)"},
		{"writes to thread_info", "ftrace_init_nop", []uint32{current, info, ret0, ret}, "thread_info"},
		{"spins", "ftrace_modify_call", []uint32{spin}, "does not come to an end: it runs for 1,048,576 instructions"},
		{"comes to a trap", "ftrace_modify_call", []uint32{trap}, "comes to a trap: brk #0x3e8 at "},
		{"loads a register twice", "ftrace_modify_call", []uint32{twice, ret0, ret}, "executes an instruction whose effect is left to the processor"},
		{"comes to UDF", "ftrace_make_nop", []uint32{udf}, "comes to a word that is not an instruction: undefined instruction 0x00000000 at "},
		{"comes to a reserved group", "ftrace_make_nop", []uint32{ret0, nobody}, "comes to a word that is not an instruction: undefined instruction 0x06000000 at "},
		{"comes to a reserved field", "ftrace_make_nop", []uint32{ror}, "comes to a word that is not an instruction: undefined instruction 0x0bc00000 at "},
		{"comes to what the emulator does not know", "ftrace_make_nop", []uint32{fadd, ret}, "ftrace_make_nop: unknown instruction 0x1e602800 at "},
		{"returns to 0", "ftrace_make_nop", []uint32{lr0, ret}, "goes where no code is: fetch of unmapped 0x0, where the RET at ftrace_make_nop+0x4 "},
		{"returns to half an instruction", "ftrace_make_nop", []uint32{lr2, ret}, "goes where no code is: misaligned address"},
		{"returns to the stack", "ftrace_make_nop", []uint32{toStack, ret}, "goes where no code is: fetch of 0xffff"},
		{"calls NULL", "ftrace_make_nop", []uint32{ret0, blr0}, "ftrace_make_nop: fetch of unmapped 0x0, where the BLR at ftrace_make_nop+0x4 "},
		{"branches far away", "ftrace_make_nop", []uint32{back128}, "goes where no code is: fetch of unmapped "},
		{"has SP not aligned", "ftrace_make_nop", []uint32{oddSP, push, ret}, "uses a stack pointer that is not aligned"},
		{"warns", "ftrace_make_nop", []uint32{warn, ret0, ret}, "warns (brk #0x800"},
		{"makes B for BL", "aarch64_insn_gen_branch_imm", []uint32{0x52a28000, ret}, "ftrace_make_call () returns 0, want 0; leaves"},
	} {
		t.Run(c.what, func(t *testing.T) {
			im := images.Sample(t, "builders/sites-regs-good.elf")
			overwrite(t, im, c.fn, c.words...)
			r := executor(t, im).Run(callsites(t, im)[0].Entry)
			if p := problem(&r); !strings.Contains(p, c.want) {
				t.Errorf("%q, want %q in it", p, c.want)
			}
		})
	}
}

// A function that has lost its end runs into what follows it. That is
// reported whatever happens there.
func TestRunsPastEnd(t *testing.T) {
	im := images.Sample(t, "builders/sites-regs-good.elf")
	fn, _ := im.Lookup("ftrace_make_nop")
	for a := fn.Addr; a < fn.End(); a += a64.Size {
		if err := im.SetWord(a, a64.NOP); err != nil {
			t.Fatal(err)
		}
	}
	next := uint32(0x1e602800) // fadd d0, d0, d0
	if err := im.SetWord(fn.End(), next); err != nil {
		t.Fatal(err)
	}
	r := executor(t, im).Run(callsites(t, im)[0].Entry)
	if p := problem(&r); !strings.Contains(p, "runs past the end of ftrace_make_nop, into "+im.At(fn.End())+": unknown instruction 0x1e602800") {
		t.Error(p)
	}
	// The function behind may be called last.
	if err := im.SetWord(fn.End()-a64.Size, 0x14000001); err != nil { // b .+4
		t.Fatal(err)
	}
	r = executor(t, im).Run(callsites(t, im)[0].Entry)
	if p := problem(&r); strings.Contains(p, "runs past") || r.Err == nil {
		t.Error(p, r.Err)
	}
}

// A difference that shows in corner cases alone is noticed there.
func TestBrokenCorners(t *testing.T) {
	// The read of the callsite is not looked at: all CBNZ W0 of the function.
	im := images.Sample(t, "builders/sites-callops-good.elf")
	fn, _ := im.Lookup("ftrace_make_call")
	n := 0
	for a := fn.Addr; a < fn.End(); a += a64.Size {
		if w, _ := im.Word(a); a64.Classify(w) == a64.CBZ && w>>24 == 0x35 && w&31 == 0 {
			if err := im.SetWord(a, a64.NOP); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if n == 0 {
		t.Skip("the function has no CBNZ W0")
	}
	f := executor(t, im)
	entry := callsites(t, im)[0].Entry
	if r := f.Run(entry); problem(&r) != "" {
		t.Fatalf("an ordinary life: %s", problem(&r))
	}
	runs, _ := f.Corners(entry, &callsite.Types{})
	for i := range runs {
		if strings.Contains(problem(&runs[i]), "ftrace_make_call (the callsite cannot be read)") {
			return
		}
	}
	t.Error("that the read fails makes no difference to ftrace_make_call, and that is not noticed")
}

// BenchmarkSiteFuncs executes the site functions of a real kernel; one
// operation is one callsite's life.
func BenchmarkSiteFuncs(b *testing.B) {
	for _, suite := range []string{"bookworm", "trixie"} {
		b.Run(suite, func(b *testing.B) {
			im := images.Kernel(b, suite)
			sites := callsites(b, im)
			var f *callsite.Executor
			steps, i := 0.0, 0
			b.ReportAllocs()
			for b.Loop() {
				n := i % len(sites)
				if n == 0 { // a callsite has one life
					if f != nil {
						steps += float64(f.Steps())
					}
					f = executor(b, im)
				}
				if r := f.Run(sites[n].Entry); r.Err != nil || r.Failed() != nil {
					b.Fatal(problem(&r))
				}
				i++
			}
			steps += float64(f.Steps())
			b.ReportMetric(steps/b.Elapsed().Seconds(), "instructions/s")
			b.ReportMetric(steps/float64(i), "instructions/op")
		})
	}
}
