package emu

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/a64"
)

// kernels are the paths of the vmlinux files that scripts/ fetches, below
// $FTLINT_KERNELS or the user's cache.
func kernels(t testing.TB) []string {
	dir := os.Getenv("FTLINT_KERNELS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skip(err)
		}
		dir = filepath.Join(cache, "ftlint", "kernels")
	}
	var paths []string
	for _, suite := range []string{"bullseye", "bookworm", "trixie", "forky", "sid"} { // as internal/images has them, which is above this room
		found, err := filepath.Glob(filepath.Join(dir, suite, "current", "vmlinux"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Skipf("no kernel at %s/*/current/vmlinux (set FTLINT_KERNELS)", dir)
	}
	return paths
}

// image is a kernel in memory.
type image struct {
	base    uint64
	data    []byte
	symbols map[string]uint64
}

func loadImage(t testing.TB, path string) *image {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img := &image{base: ^uint64(0), symbols: make(map[string]uint64)}
	end := uint64(0)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr >= 1<<63 {
			img.base, end = min(img.base, p.Vaddr), max(end, p.Vaddr+p.Memsz)
		}
	}
	img.base &^= pageMask
	img.data = make([]byte, (end-img.base+pageMask)&^pageMask)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr >= 1<<63 {
			if _, err := p.ReadAt(img.data[p.Vaddr-img.base:][:p.Filesz], 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := f.Section(".rela.dyn"); s != nil {
		rela, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		for ; len(rela) >= 24; rela = rela[24:] {
			if binary.LittleEndian.Uint64(rela[8:]) == uint64(elf.R_AARCH64_RELATIVE) {
				at := binary.LittleEndian.Uint64(rela)
				copy(img.data[at-img.base:], rela[16:24])
			}
		}
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		img.symbols[s.Name] = s.Value
	}
	return img
}

// machine has the image, a stack and a current task.
func (img *image) machine() *Machine {
	m := &Machine{Core: Core{Load: func(addr uint64, page []byte) (Perm, bool) {
		if addr-img.base >= uint64(len(img.data)) {
			return 0, false
		}
		copy(page, img.data[addr-img.base:])
		if addr >= img.symbols["_stext"] && addr < img.symbols["_etext"] ||
			addr >= img.symbols["__inittext_begin"] && addr < img.symbols["__inittext_end"] {
			return Read | Exec, true
		}
		return Read | Write, true
	}}}
	m.Map(stackAt-4*PageSize, 4*PageSize, Read|Write)
	m.SP = stackAt
	m.Sys[SPEL0] = img.symbols["init_task"]
	return m
}

// far is memory that no kernel image has.
const far = 0xffffa00000000000

// TestKernelFunctions executes functions of real kernels whose results are
// known.
func TestKernelFunctions(t *testing.T) {
	for _, path := range kernels(t) {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(path))), func(t *testing.T) {
			img := loadImage(t, path)
			m := img.machine()
			m.Map(far, 0x10000, Read|Write)
			call := func(name string, args ...uint64) uint64 {
				t.Helper()
				fn := img.symbols[name]
				if fn == 0 {
					t.Fatalf("no symbol %s", name)
				}
				m.SP = stackAt
				got, err := m.Call(fn, args...)
				if err != nil {
					t.Fatalf("%s at %#x: %v", name, fn, err)
				}
				return got
			}
			rng := rand.New(rand.NewPCG(7, 8))
			src, buf := make([]byte, 2000), make([]byte, 2000)
			for i := range src {
				src[i] = byte(1 + rng.IntN(255))
			}
			for range 200 {
				n, from, to := rng.IntN(1000), uint64(rng.IntN(64)), uint64(rng.IntN(64))
				src[n] = 0
				if err := m.Write(far+from, src); err != nil {
					t.Fatal(err)
				}
				call("memcpy", far+0x8000+to, far+from, uint64(n))
				if err := m.Read(far+0x8000+to, buf); err != nil || !bytes.Equal(buf[:n], src[:n]) {
					t.Fatalf("memcpy of %d bytes is wrong, %v", n, err)
				}
				if got := call("memcmp", far+0x8000+to, far+from, uint64(n)); got != 0 {
					t.Fatalf("memcmp = %d", got)
				}
				if got := call("strlen", far+from); got != uint64(n) {
					t.Fatalf("strlen = %d, want %d", got, n)
				}
				// crc32_le does not invert.
				if got, want := uint32(call("crc32_le", 0xffffffff, far+from, uint64(n))), ^crc32.ChecksumIEEE(src[:n]); got != want {
					t.Fatalf("crc32_le of %d bytes = %#x, want %#x", n, got, want)
				}
				call("memset", far+0x8000+to, 0x5a, uint64(n))
				if err := m.Read(far+0x8000+to, buf); err != nil || !bytes.Equal(buf[:n], bytes.Repeat([]byte{0x5a}, n)) {
					t.Fatalf("memset of %d bytes is wrong, %v", n, err)
				}
				src[n] = 1
			}

			if err := m.Write(far, []byte("%d %-8s|%#llx %5u\x00")); err != nil {
				t.Fatal(err)
			}
			if err := m.Write(far+0x100, []byte("ftrace\x00")); err != nil {
				t.Fatal(err)
			}
			minus := int64(-12345)
			n := call("snprintf", far+0x8000, 100, far, uint64(minus), far+0x100, 0xffff800080000000, 77)
			want := fmt.Sprintf("%d %-8s|%#x %5d", minus, "ftrace", uint64(0xffff800080000000), 77)
			if err := m.Read(far+0x8000, buf[:n]); err != nil || string(buf[:n]) != want {
				t.Errorf("snprintf: %q, want %q, %v", buf[:n], want, err)
			}
			t.Logf("%d instructions", m.Steps)
		})
	}
}

// TestKernelSites enables and disables callsites of real kernels with the
// kernel's own code.
func TestKernelSites(t *testing.T) {
	for _, path := range kernels(t) {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(path))), func(t *testing.T) {
			img := loadImage(t, path)
			m := img.machine()
			sym := func(name string) uint64 { return img.symbols[name] }
			patched := 0
			m.Hook(sym("aarch64_insn_patch_text_nosync"), func(m *Machine) error {
				patched++
				err := m.Write32(m.X[0], uint32(m.X[1]))
				m.X[0] = 0
				return err
			})
			m.Hook(sym("aarch64_insn_write_literal_u64"), func(m *Machine) error {
				err := m.Write64(m.X[0], m.X[1])
				m.X[0] = 0
				return err
			})
			// What sites call before anybody traces: the BL at ftrace_call goes to
			// the stub; without one, ops of the site are those of the list.
			callback := sym("ftrace_stub")
			if sym("ftrace_call") == 0 {
				callback = sym("arch_ftrace_ops_list_func")
			}
			start, stop := sym("__start_mcount_loc"), sym("__stop_mcount_loc")
			sites, steps := 0, uint64(0)
			for at := start; at < stop; at += 8 * 61 {
				site, err := m.Read64(at)
				if err != nil {
					t.Fatal(err)
				}
				if site < sym("_stext") {
					continue
				}
				m.Reset()
				m.Sys[SPEL0] = sym("init_task")
				m.Map(stackAt-4*PageSize, 4*PageSize, Read|Write)
				m.Map(far, PageSize, Read|Write)
				call := func(name string, args ...uint64) uint64 {
					t.Helper()
					m.SP = stackAt
					got, err := m.Call(sym(name), args...)
					if err != nil {
						t.Fatalf("%s for the site at %#x: %v", name, site, err)
					}
					return got
				}
				bl := site + 4
				if sym("ftrace_call_adjust") != 0 {
					bl = call("ftrace_call_adjust", site)
				}
				if err := m.Write64(far, bl); err != nil {
					t.Fatal(err)
				}
				word := func(at uint64) uint32 {
					w, err := m.Read32(at)
					if err != nil {
						t.Fatal(err)
					}
					return w
				}
				if got := call("ftrace_init_nop", 0, far); got != 0 || word(bl-4) != a64.EncodeMOV(9, 30) {
					t.Fatalf("ftrace_init_nop at %#x = %d, left %#x", site, int64(got), word(bl-4))
				}
				to := sym("ftrace_caller")
				want, err := a64.EncodeBL(bl, to)
				if err != nil {
					t.Fatal(err)
				}
				if got := call("ftrace_make_call", far, to); got != 0 || word(bl) != want {
					t.Fatalf("ftrace_make_call at %#x = %d, left %#x", site, int64(got), word(bl))
				}
				if m.hooks[bl-4] == nil { // a site of a function that is hooked
					traceOnce(t, m, bl, callback)
				}
				if got := call("ftrace_make_nop", 0, far, to); got != 0 || word(bl) != a64.NOP {
					t.Fatalf("ftrace_make_nop at %#x = %d, left %#x", site, int64(got), word(bl))
				}
				sites++
				steps += m.Steps
			}
			if sites == 0 || patched < 3*sites {
				t.Errorf("%d sites, %d times patched", sites, patched)
			}
			t.Logf("%d sites, %d instructions", sites, steps)
		})
	}
}

// traceOnce runs the enabled callsite whose BL is at bl, until it goes on
// behind it. The callback must get the address of the BL and that of the
// caller, and may clobber what AAPCS64 lets it; the callsite must
// not notice.
func traceOnce(t *testing.T, m *Machine, bl, callback uint64) {
	t.Helper()
	for i := range m.X {
		m.X[i] = 0x1111 * uint64(i+1)
	}
	m.SP = stackAt - 64
	before := m.X
	called := 0
	m.Hook(callback, func(m *Machine) error {
		called++
		if m.X[0] != bl || m.X[1] != before[30] {
			t.Errorf("callback of %#x: ip %#x, parent %#x", bl, m.X[0], m.X[1])
		}
		for i := range 18 {
			m.X[i] = 0xdead
		}
		return nil
	})
	m.PC = bl - 4
	err := m.Run(bl + 4)
	m.Hook(callback, nil)
	if err != nil || called != 1 {
		t.Fatalf("traced at %#x: called %d times, %v", bl, called, err)
	}
	for i := 9; i < 18; i++ { // not live at a callsite
		before[i] = m.X[i]
	}
	if m.X != before || m.SP != stackAt-64 {
		t.Errorf("traced at %#x: registers %#x, were %#x, SP %#x", bl, m.X, before, m.SP)
	}
}

// TestKernelText decodes all code of real kernels. What the machine does not
// know is SIMD, SVE and the like, and data.
func TestKernelText(t *testing.T) {
	for _, path := range kernels(t) {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(path))), func(t *testing.T) {
			img := loadImage(t, path)
			unknown := make(map[string]int)
			words, instructions := 0, 0
			for at := img.symbols["_stext"]; at < img.symbols["_etext"]; at += 4 {
				w := binary.LittleEndian.Uint32(img.data[at-img.base:])
				words++
				switch decode(w, at).code {
				case opUnknown, opUndefined, opUnpredictable:
					if inst, err := asm(w); err != nil {
						unknown["?"]++
					} else if simd(inst) {
						unknown["SIMD"]++
					} else {
						unknown[inst.Op.String()]++
					}
				case opUnknownSysReg:
					unknown["MRS, MSR"]++
				default:
					instructions++
				}
			}
			if instructions < words*98/100 {
				t.Errorf("%d of %d words", instructions, words)
			}
			t.Logf("%d of %d words, unknown: %v", instructions, words, unknown)
		})
	}
}

// TestKernelAnyFunction calls many functions of real kernels with arguments
// that point to memory: whatever they do, no instruction of theirs is unknown.
func TestKernelAnyFunction(t *testing.T) {
	for _, path := range kernels(t) {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(path))), func(t *testing.T) {
			img := loadImage(t, path)
			m := img.machine()
			m.OnBreak = func(uint64, uint16) BreakAction { return Continue }
			m.MaxSteps = 20000
			reasons := make(map[Reason]int)
			steps := uint64(0)
			var args [8]uint64
			for i := range args {
				args[i] = far + uint64(i)*0x1000
			}
			for at := img.symbols["__start_mcount_loc"]; at < img.symbols["__stop_mcount_loc"]; at += 8 * 31 {
				fn := binary.LittleEndian.Uint64(img.data[at-img.base:])
				if fn < img.symbols["_stext"] || fn >= img.symbols["_etext"] {
					continue
				}
				m.Reset()
				m.Map(stackAt-4*PageSize, 4*PageSize, Read|Write)
				m.Map(far, 0x10000, Read|Write)
				m.SP = stackAt
				m.Sys[SPEL0] = img.symbols["init_task"]
				_, err := m.Call(fn, args[:]...)
				steps += m.Steps
				var s *Stop
				if errors.As(err, &s) {
					reasons[s.Reason]++
					// SYS reaches GICv5 and the like. UDF, which is Undefined,
					// stands behind BUG(), which goes on here.
					if (s.Reason == UnknownInstruction || s.Reason == Undefined && s.Word>>16 != 0) && s.Word&0xfff80000 != 0xd5080000 {
						t.Errorf("%#x: %v", fn, err)
					}
				}
			}
			t.Logf("%d instructions; stopped: %v", steps, reasons)
		})
	}
}
