package elfscan

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/internal/samples"
)

// Bounds of the bytes that a fuzz target may allocate: a constant for the tables
// of the readers, and a multiple of its input.
func bounded(t *testing.T, given int, f func()) {
	t.Helper()
	hostile.Bounded(t, 64<<20, 1000, given, f)
}

// refused reports whether the file was not opened. It fails the test unless the
// error gives one reason.
func refused(t *testing.T, path string, err, again error) bool {
	t.Helper()
	if fmt.Sprint(err) != fmt.Sprint(again) {
		t.Errorf("refused with %v, then with %v", err, again)
	}
	if err == nil || again == nil {
		return err != nil || again != nil
	}
	clearError(t, err, path, "")
	hostile.OneLine(t, err, path+": ")
	return true
}

// consistent fails the test if answers of the image contradict each other, or if
// an address is outside of the range that it is said to be in.
func consistent(t *testing.T, im *Image) {
	t.Helper()
	ranges, apart := im.Sections(), true
	for i := range ranges {
		r := &ranges[i]
		if i > 0 {
			apart = apart && r.Addr >= ranges[i-1].End()
		}
		if r.End() < r.Addr || uint64(len(r.data)) > r.Size || i > 0 && r.Addr < ranges[i-1].Addr {
			t.Errorf("section %s, %#x, %#x bytes, %d in the file", r.Name, r.Addr, r.Size, len(r.data))
		}
	}
	table, err := callsites(im)
	consistentAddresses(t, im, table, err)
	consistentSymbols(t, im, apart)
	fset := token.NewFileSet()
	im.AddTo(fset)
	for i := range min(len(ranges), 20) {
		for _, a := range []uint64{ranges[i].Addr, ranges[i].End() - 1} {
			pos := im.Pos(a)
			if got, ok := im.PosAddr(pos); !ok || got != a {
				t.Errorf("the position of %#x is that of %#x", a, got)
			}
			if p := im.Position(pos); p.Filename == "" || p.Line < 0 || (p.Line > 0) != (p.Column > 0) || p.Line == 0 && p.Filename != im.Path {
				t.Errorf("the position of %#x is %+v", a, p)
			}
			if r, ok := im.SectionAt(a); apart && (!ok || r.Addr != ranges[i].Addr) {
				t.Errorf("%#x is in section %+v, not %s", a, r, ranges[i].Name)
			}
			w, ok := im.Word(a)
			var b [4]byte
			im.ReadAt(a, b[:])
			if apart && ok && (im.module != nil || ranges[i].Executable()) && w != le.Uint32(b[:]) {
				t.Errorf("the word at %#x is %#x, its bytes are % x", a, w, b)
			}
		}
	}
}

// consistentAddresses fails the test if a table of addresses, read with err,
// contradicts itself. The image has no table if both are nil.
func consistentAddresses(t *testing.T, im *Image, a *Addresses, err error) {
	t.Helper()
	if err != nil {
		clearError(t, err, im.Path, "")
		hostile.OneLine(t, err, im.Path+": ")
		if a != nil {
			t.Errorf("a table beside the error %v", err)
		}
		return
	}
	if a == nil {
		return
	}
	n := len(a.Values)
	if uint64(n)*8 != a.End-a.Start {
		t.Errorf("a table of %d entries at %#x..%#x", n, a.Start, a.End)
	}
	if _, ok := im.Bytes(a.Start, n*8); n > 0 && !ok {
		t.Errorf("the table at %#x..%#x is not in the image", a.Start, a.End)
	}
}

func consistentSymbols(t *testing.T, im *Image, apart bool) {
	t.Helper()
	last, n := uint64(0), 0
	var addrs []uint64
	im.EachSymbol(func(addr uint64, name []byte, _ elf.SymType) bool {
		if s, ok := im.Lookup(string(name)); !ok || s.Name != string(name) || len(name) == 0 || bytes.IndexByte(name, 0) >= 0 || addr < last {
			t.Errorf("symbol %q at %#x behind %#x, found %v", name, addr, last, s)
		}
		at, ok := im.SymbolAt(addr)
		if section, in := im.SectionAt(addr); ok != in || ok && at.Addr != addr && apart && at.Addr < section.Addr {
			t.Errorf("at %#x there is %+v, %v; in a section: %v", addr, at, ok, in)
		}
		last = addr
		addrs = append(addrs, addr, addr+4, addr-4) // nearly in order
		n++
		return n < 200
	})
	begins := make([]bool, len(addrs))
	im.EachFunctionAt(len(addrs), func(i int) uint64 { return addrs[i] }, func(i int) { begins[i] = true })
	for i, addr := range addrs {
		if begins[i] != im.FunctionAt(addr) {
			t.Errorf("a function at %#x: %v, of many %v", addr, im.FunctionAt(addr), begins[i])
		}
	}
}

// Any file is refused with one clear line, or answers every question, twice
// the same, and without contradiction.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"regs-good", "regs-good-stripped", "callops-good", "mcount-good", "dyntramp-live", "rfc-trampoline-dwarf4", "rfc-trampoline-zstd"} {
		f.Add([]byte(samples.Load(f, name)))
	}
	f.Add([]byte(samples.Load(f, "args-good").HeadersFirst()))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, len(data), func() {
			one, err := openBytes(data)
			two, err2 := openBytes(data)
			if refused(t, "vmlinux", err, err2) {
				return
			}
			if a, b := digest(one), digest(two); a != b {
				t.Errorf("two answers:\n%s\n%s", a, b)
			}
			consistent(t, one)
		})
	})
}

// Any debug sections give a line or none, and never keep the image from being
// judged.
func FuzzLines(f *testing.F) {
	for _, name := range []string{"rfc-trampoline-dwarf4", "rfc-trampoline-dwarf5", "callops-good"} {
		s := samples.Load(f, name)
		_, line := s.Section(f, ".debug_line")
		_, info := s.Section(f, ".debug_info")
		_, abbrev := s.Section(f, ".debug_abbrev")
		_, aranges := s.Section(f, ".debug_aranges")
		f.Add(line, info, abbrev, aranges)
		f.Add(line, info, abbrev, []byte{})
	}
	s := samples.Load(f, "rfc-trampoline-dwarf5")
	f.Fuzz(func(t *testing.T, line, info, abbrev, aranges []byte) {
		s := bytes.Clone(s)
		for name, b := range map[string][]byte{".debug_line": line, ".debug_info": info, ".debug_abbrev": abbrev, ".debug_aranges": aranges} {
			s = samples.File(s).Replace(t, name, b)
		}
		bounded(t, len(s), func() {
			one, two := mustOpen(t, samples.File(s)), mustOpen(t, samples.File(s))
			if a, b := digest(one), digest(two); a != b {
				t.Errorf("two answers:\n%s\n%s", a, b)
			}
		})
	})
}

// Any relocations, of a linked image: a table of addresses, and each byte of the
// image, are what the ABI makes of them. The reference is beside: it goes by
// bytes, one section and one relocation after the other.
func FuzzRelocations(f *testing.F) {
	image := samples.Load(f, "args-good")
	_, rela := image.Section(f, ".rela.dyn")
	_, relr := samples.Load(f, "args-good-relr").Section(f, ".relr.dyn")
	_, table := image.Section(f, ".init.data")
	f.Add(rela, []byte{}, table)
	f.Add([]byte{}, relr, table)
	f.Add(rela, relr, table)
	for _, name := range []string{"mcount-good", "callops-good-rela", "regs-good"} {
		_, rela := samples.Load(f, name).Section(f, ".rela.dyn")
		f.Add(rela, relr, table)
	}
	for _, typ := range []elf.R_AARCH64{elf.R_AARCH64_ABS64, elf.R_AARCH64_GLOB_DAT, elf.R_AARCH64_ABS32, elf.R_AARCH64_NONE} {
		b := bytes.Clone(rela)
		le.PutUint64(b[8:], uint64(typ)|5<<32)
		le.PutUint64(b[relaSize:], le.Uint64(b[relaSize:])+4)
		f.Add(b, relr, table)
	}
	header, _ := image.Section(f, ".init.data")
	start := le.Uint64(header[samples.ShAddr:])
	// .rela.dyn stands behind the table, and is loaded: here it is moved out of
	// the way, as what it covers would change with its size.
	const away = 0xffff_8000_0800_0000
	f.Fuzz(func(t *testing.T, rela, relr, table []byte) {
		if len(rela)+len(relr)+len(table) > 4096 || len(table) < 8 {
			return
		}
		rela = rela[:len(rela)/relaSize*relaSize]
		relr = relr[:len(relr)/8*8]
		s := image.Replace(t, ".rela.dyn", rela).Replace(t, ".init.data", table[:len(table)/8*8])
		h, _ := s.Section(t, ".rela.dyn")
		le.PutUint64(h[samples.ShAddr:], away)
		s = relrSection(t, s, relr)
		s.SetValue(t, "__start_mcount_loc", start)
		s.SetValue(t, "__stop_mcount_loc", start+uint64(len(table)/8*8))
		bounded(t, len(s), func() {
			im := mustOpen(t, s)
			consistent(t, im)
			want := reference(t, s)
			for _, r := range im.Sections() {
				got := make([]byte, len(r.data))
				im.ReadAt(r.Addr, got)
				if !bytes.Equal(got, want[r.Name]) && !r.Executable() {
					t.Errorf("%s reads as\n% x, want\n% x", r.Name, got, want[r.Name])
				}
				// The same in pieces: a value may reach over the end of one.
				for off := 0; off < len(got); off += 12 {
					var piece [12]byte
					im.ReadAt(r.Addr+uint64(off), piece[:])
					if n := min(12, len(got)-off); !bytes.Equal(piece[:n], got[off:off+n]) {
						t.Errorf("%s at %#x reads as % x, with what is before and behind as % x", r.Name, off, piece[:n], got[off:off+n])
					}
				}
			}
			addrs, err := callsites(im)
			if err != nil {
				return
			}
			if n := relrPlaces(relr, addrs.Start, addrs.End); addrs.FromRelr != n {
				t.Errorf("%d places by RELR, want %d", addrs.FromRelr, n)
			}
			for i, v := range addrs.Values {
				if w := le.Uint64(want[".init.data"][i*8:]); v != w {
					t.Errorf("entry %d is %#x, want %#x", i, v, w)
				}
			}
		})
	})
}

// relrSection makes .got.plt, which nothing asks for, a section of RELR
// relocations.
func relrSection(t testing.TB, s samples.File, relr []byte) samples.File {
	const name = ".got.plt"
	out := s.Replace(t, name, relr)
	h, _ := out.Section(t, name)
	le.PutUint32(h[samples.ShType:], shtRELR)
	le.PutUint64(h[samples.ShFlags:], uint64(elf.SHF_ALLOC))
	le.PutUint64(h[samples.ShAddr:], 0xffff_8000_0900_0000)
	return out
}

// reference is the bytes of the sections with RELA relocations applied.
func reference(t *testing.T, s samples.File) map[string][]byte {
	file, err := elf.NewFile(bytes.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, to := range file.Sections {
		if to.Flags&elf.SHF_ALLOC == 0 || to.Type == elf.SHT_NOBITS {
			continue
		}
		b := bytes.Clone(s[to.Offset:][:to.FileSize])
		for _, from := range file.Sections {
			if from.Type != elf.SHT_RELA || from.Flags&elf.SHF_ALLOC == 0 {
				continue
			}
			for r := s[from.Offset:][:from.FileSize]; len(r) > 0; r = r[relaSize:] {
				value := le.Uint64(r[16:])
				switch elf.R_AARCH64(le.Uint32(r[8:])) {
				case elf.R_AARCH64_RELATIVE:
				case elf.R_AARCH64_ABS64, elf.R_AARCH64_GLOB_DAT:
					syms := file.Sections[from.Link]
					if n := uint64(le.Uint32(r[12:])); n > 0 && (n+1)*symSize <= syms.FileSize {
						value += le.Uint64(s[syms.Offset+n*symSize+8:])
					}
				default:
					continue
				}
				for i := range uint64(8) {
					if off := le.Uint64(r) + i - to.Addr; off < uint64(len(b)) && le.Uint64(r)+i >= i {
						b[off] = byte(value >> (8 * i))
					}
				}
			}
		}
		out[to.Name] = b
	}
	return out
}

// relrPlaces is how many of the places that RELR relocations stand for lie in
// lo..hi-1.
func relrPlaces(relr []byte, lo, hi uint64) (n int) {
	var at uint64
	for ; len(relr) > 0; relr = relr[8:] {
		w := le.Uint64(relr)
		if w%2 == 0 {
			at = w
			if lo <= at && at < hi {
				n++
			}
			at += 8
			continue
		}
		for range 63 {
			if w >>= 1; w&1 == 1 && lo <= at && at < hi {
				n++
			}
			at += 8
		}
	}
	return n
}

// openModule is OpenModule of what is in memory, which is not kept.
func openModule(data []byte, kernel *Image) (*Image, error) {
	im := &Image{Path: "m.ko", data: bytes.Clone(data), module: &Module{Kernel: kernel}}
	im.debug = im
	if err := im.readHeaders(); err != nil {
		return nil, err
	}
	return im, im.layOutFirst()
}

// consistentModule is consistent for a module, and for its parts.
func consistentModule(t *testing.T, im *Image) {
	t.Helper()
	m := im.Module()
	at := m.Base
	for p := Text; p < numParts; p++ {
		start, end := m.PartRange(p)
		if start != at || end < start || end-m.Base > 2*maxModule || start%modulePages != 0 {
			t.Errorf("%v is at %#x..%#x, behind %#x", p, start, end, at)
		}
		at = end
	}
	for i, s := range m.Sections {
		a, err := im.AddressesOf("table", i)
		consistentAddresses(t, im, a, err)
		if s.Part == NoPart {
			if err == nil {
				t.Errorf("section %+v, which is not loaded, is a table", s)
			}
			continue
		}
		start, end := m.PartRange(s.Part)
		if s.Addr < start || s.Addr+s.Size > end || s.Size > 0 && m.PartAt(s.Addr) != s.Part || s.Size > 0 && !m.Contains(s.Addr+s.Size-1) {
			t.Errorf("section %+v is not in its part, %#x..%#x", s, start, end)
		}
	}
	consistent(t, im)
	for i := range im.ranges {
		r := &im.ranges[i]
		if r.Size > 1<<20 {
			continue
		}
		got := make([]byte, r.Size)
		im.ReadAt(r.Addr, got)
		if b := im.relocated(r); !bytes.HasPrefix(got, b) || len(bytes.Trim(got[len(b):], "\x00")) > 0 {
			t.Errorf("%s reads as\n% x, not\n% x", r.Name, got, b)
		}
	}
}

// moduleDigest is what a module answers, in words that are the same wherever it
// is placed.
func moduleDigest(im *Image) string {
	var b strings.Builder
	m := im.Module()
	fmt.Fprintln(&b, m.Info, im.BuildID())
	for i, s := range m.Sections {
		var e *Error
		if a, err := im.AddressesOf("table", i); errors.As(err, &e) {
			fmt.Fprintln(&b, e.Where) // What may name addresses
		} else {
			fmt.Fprintln(&b, len(a.Values), a.Form())
		}
		fmt.Fprintln(&b, s.Name, s.Flags, s.Part, s.Rewritten, s.Size)
	}
	return b.String()
}

// Any file is refused as a module with one clear line, packed or not, or is
// laid out as the loader does it: the same twice, and the same elsewhere.
func FuzzOpenModule(f *testing.F) {
	for _, name := range []string{"good-callops", "good-regs-wax", "good-mcount", "no-callsites", "section-wx"} {
		f.Add([]byte(samples.LoadModule(f, name)))
	}
	for _, pack := range modulePackers {
		f.Add(pack(f, samples.LoadModule(f, "good-regs-nodwarf")))
	}
	path := filepath.Join(f.TempDir(), "m.ko")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		const limit = 1 << 20
		// Each of the two may take a window to unpack it.
		hostile.Bounded(t, 2*maxWindow+64<<20, 1000, len(data), func() {
			one, err := OpenModule(path, ModuleOptions{Buffer: &Buffer{limit: limit}})
			two, err2 := OpenModule(path, ModuleOptions{Buffer: &Buffer{limit: limit}})
			if refused(t, path, err, err2) {
				return
			}
			defer one.Close()
			defer two.Close()
			if int(one.Size()) > max(limit, len(data)) {
				t.Errorf("%d bytes of %d", one.Size(), len(data))
			}
			a := moduleDigest(one)
			if b := moduleDigest(two); a != b {
				t.Errorf("two answers:\n%s\n%s", a, b)
			}
			consistentModule(t, one)
			exercise(one)
			far, err := one.PlaceAt(one.Module().Base - 1<<30)
			if err != nil {
				t.Fatalf("it cannot be placed elsewhere: %v", err)
			}
			consistentModule(t, far)
			if b := moduleDigest(far); a != b {
				t.Errorf("elsewhere:\n%s\n%s", a, b)
			}
		})
	})
}

// Any relocations and symbols of a module, with a kernel and without one: no
// byte changes but those that a relocation is about, each is what the ABI makes
// of it (of those that the reference knows), twice the same.
func FuzzModuleRelocations(f *testing.F) {
	kernel, err := Open(samples.Modules+"/kernel-callops.elf", "")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(kernel.Close)
	names := []string{"good-callops", "good-mcount", "good-regs"}
	var bases []samples.File
	for i, name := range names {
		s := samples.File(samples.LoadModule(f, name))
		bases = append(bases, s)
		_, text := s.Section(f, ".rela.text")
		_, symbols := s.Section(f, ".symtab")
		_, table := s.Section(f, ".rela"+s.TableName(f))
		for _, known := range []bool{false, true} {
			f.Add(uint8(i), known, bytes.Clone(text), bytes.Clone(table), bytes.Clone(symbols))
		}
		for typ := elf.R_AARCH64_ABS64; typ <= elf.R_AARCH64_LDST128_ABS_LO12_NC; typ++ {
			b := bytes.Clone(text[:2*relaSize])
			le.PutUint32(b[8:], uint32(typ))
			f.Add(uint8(i), typ%2 == 0, b, bytes.Clone(table), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, base uint8, known bool, text, table, symbols []byte) {
		if len(text)+len(table)+len(symbols) > 8192 {
			return
		}
		s := bases[int(base)%len(bases)]
		s = s.Replace(t, ".rela.text", text[:len(text)/relaSize*relaSize])
		s = s.Replace(t, ".rela"+s.TableName(t), table[:len(table)/relaSize*relaSize])
		_, symtab := s.Section(t, ".symtab")
		copy(symtab, symbols)
		var k *Image
		if known {
			k = kernel
		}
		bounded(t, len(s), func() {
			one, err := openModule(s, k)
			two, err2 := openModule(s, k)
			if refused(t, "m.ko", err, err2) {
				return
			}
			consistentModule(t, one)
			exercise(two)
			if a, b := moduleDigest(one), moduleDigest(two); a != b {
				t.Errorf("two answers:\n%s\n%s", a, b)
			}
			for i := range one.ranges {
				r := &one.ranges[i]
				plain, got := r.data, one.relocated(r)
				if len(got) != len(plain) {
					t.Fatalf("%s has %d bytes of %d", r.Name, len(got), len(plain))
				}
				may := make([]bool, len(plain)+8)
				one.eachModReloc(r.number, uint64(len(plain)), func(m modReloc) {
					for k := range uint64(8) {
						may[m.off+k] = true
					}
				})
				for off := range plain {
					if plain[off] != got[off] && !may[off] {
						t.Errorf("%s: byte %#x changes, which no relocation is about", r.Name, off)
					}
				}
				if !bytes.Equal(got, two.relocated(&two.ranges[i])) {
					t.Errorf("%s is relocated in two ways", r.Name)
				}
				checkCalls(t, one, r, got)
			}
		})
	})
}

// checkCalls checks BL and B: they lead to the symbol, or to its PLT entry.
func checkCalls(t *testing.T, im *Image, r *Range, got []byte) {
	last := map[uint64]modReloc{}
	others := map[uint64]bool{} // words that several relocations are about
	im.eachModReloc(r.number, r.Size, func(m modReloc) {
		for k := m.off &^ 3; k < m.off+8; k += 4 {
			if _, twice := last[k]; twice {
				others[k] = true
			}
			last[k] = m
		}
	})
	for off, m := range last {
		if off != m.off || others[off] || !slices.Contains(im.arch.Relocs.Branches, m.typ) || off+4 > uint64(len(got)) {
			continue
		}
		w := le.Uint32(got[off:])
		target := r.Addr + off + uint64(int64(int32(w<<6))>>4)
		value := im.modSymbol(m.sym) + m.addend
		if d := int64(value - (r.Addr + off)); d >= -128<<20 && d < 128<<20 && d%4 == 0 {
			if target != value {
				t.Errorf("%s+%#x leads to %#x, not %#x", r.Name, off, target, value)
			}
		} else if p, ok := im.pltSymbol(target); d%4 == 0 && ok && p != m.sym {
			t.Errorf("%s+%#x leads to the PLT entry of symbol %d, not of %d", r.Name, off, p, m.sym)
		}
	}
}
