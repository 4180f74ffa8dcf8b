package elfscan

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/ftlint/ftlint/internal/samples"
)

// Sections of modules that ftrace reads.
const (
	patchable = "__patchable_function_entries"
	ftracePLT = ".text.ftrace_trampoline"
)

// moduleTable reads the first section of that name.
func moduleTable(im *Image, name string) (*Addresses, error) {
	i := slices.IndexFunc(im.Module().Sections, func(s ModuleSection) bool { return s.Name == name })
	return im.AddressesOf("callsite table", i)
}

// inFile writes a file and gives its path.
func inFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// modulePackers pack as modules are packed.
var modulePackers = map[string]func(t testing.TB, data []byte) []byte{
	"ko.gz": func(t testing.TB, data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
		return b.Bytes()
	},
	"ko.xz": func(t testing.TB, data []byte) []byte {
		var b bytes.Buffer
		w, err := xz.WriterConfig{CheckSum: xz.CRC32}.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		w.Close()
		return b.Bytes()
	},
	"ko.zst": func(t testing.TB, data []byte) []byte {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(data, nil)
	},
}

// A module reads the same, plain or packed, and one buffer serves them all.
func TestOpenModule(t *testing.T) {
	data := samples.LoadModule(t, "good-callops")
	paths := []string{samples.Modules + "/good-callops.ko"}
	for ext, pack := range modulePackers {
		paths = append(paths, inFile(t, "m."+ext, pack(t, data)))
	}
	var buf Buffer
	for _, path := range append(paths, paths...) {
		im, err := OpenModule(path, ModuleOptions{Buffer: &buf})
		if err != nil {
			t.Fatal(err)
		}
		m := im.Module()
		if want := (ModInfo{Name: "good_callops", Vermagic: "6.12.0-sample SMP mod_unload aarch64"}); m.Info != want {
			t.Errorf("%s: .modinfo is %+v", path, m.Info)
		}
		callsites, err := moduleTable(im, patchable)
		if err != nil || len(callsites.Values) != 4 {
			t.Fatalf("%s: %+v, %v", path, callsites, err)
		}
		var names []string
		for _, entry := range callsites.Values {
			fn := entry + 8
			if !im.IsText(entry) || !im.FunctionAt(fn) {
				t.Errorf("%s: no function at %s", path, im.At(fn))
			}
			names = append(names, strings.TrimSuffix(im.Name(fn), " [good_callops]")+" in "+m.PartAt(entry).String())
		}
		slices.Sort(names)
		if want := []string{"cleanup_module in text", "init_module in init text", "read_device in text", "write_device in text"}; !slices.Equal(names, want) {
			t.Errorf("%s: callsites %q", path, names)
		}
		if !IsModule(path) {
			t.Errorf("%s: not told to be a module", path)
		}
		im.Close()
	}
}

// Sections go where the loader puts them, relocations point there, and the
// same module elsewhere is the same but for addresses.
func TestModuleLayout(t *testing.T) {
	kernel, err := Open(samples.Modules+"/kernel-regs.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	im, err := OpenModule(samples.Modules+"/good-regs-wax.ko", ModuleOptions{Kernel: kernel})
	if err != nil {
		t.Fatal(err)
	}
	far, ok := kernel.FarBase()
	if !ok {
		t.Fatal("no far base")
	}
	moved, err := im.PlaceAt(far)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range []*Image{im, moved} {
		m := im.Module()
		for i := range m.Sections {
			if s, align := &m.Sections[i], im.file.Sections[i].Addralign; s.Part != NoPart && !s.Rewritten && align > 0 && s.Addr%align != 0 {
				t.Errorf("%s lies at %#x, not aligned to %d bytes", s.Name, s.Addr, align)
			}
			for j := range m.Sections[:i] {
				if s, other := &m.Sections[i], &m.Sections[j]; s.Part != NoPart && other.Part != NoPart && s.Addr < other.Addr+other.Size && other.Addr < s.Addr+s.Size {
					t.Errorf("%s at %#x overlaps %s at %#x", s.Name, s.Addr, other.Name, other.Addr)
				}
			}
		}
		for name, want := range map[string]Part{
			".text": Text, ".plt": Text, ftracePLT: Text, ".init.text": InitText, ".init.plt": InitText,
			".data": Data, ".gnu.linkonce.this_module": Data, patchable: Data, ".modinfo": NoPart, ".debug_line": NoPart,
		} {
			s, ok := m.Section(name)
			if !ok || s.Part != want || (want == NoPart) != (s.Addr == 0) || want != NoPart && m.PartAt(s.Addr) != want {
				t.Errorf("%s: %+v, want it in %v", name, s, want)
			}
		}
		if s, _ := im.SectionAt(mustSection(t, m, ftracePLT).Addr); s.Flags&elf.SHF_WRITE != 0 || s.Size != 24 {
			t.Errorf("%s is not rewritten: %+v", ftracePLT, s)
		}
		fn, ok := im.Lookup("read_device")
		counter, ok2 := im.Lookup("counter")
		if !ok || !ok2 || m.PartAt(fn.Addr) != Text || m.PartAt(counter.Addr) != Data {
			t.Fatalf("read_device %+v, counter %+v", fn, counter)
		}
		// bl _printk; adrp x0, counter; ldr x0, [x0, #:lo12:counter]
		bl, _ := im.Word(fn.Addr + 20)
		target := fn.Addr + 20 + uint64(int64(int32(bl<<6))>>4)
		adrp, _ := im.Word(fn.Addr + 24)
		page := (fn.Addr+24)&^0xfff + uint64(int64(int32(adrp>>5<<13|adrp>>29&3<<11))>>11)<<12
		ldr, _ := im.Word(fn.Addr + 28)
		if got := page + uint64(ldr>>10&0xfff)*8; got != counter.Addr {
			t.Errorf("counter is taken from %#x, it is at %#x", got, counter.Addr)
		}
		if name := im.Name(target); name != "_printk" {
			t.Errorf("_printk is called at %s (%#x)", name, target)
		}
		var page0 [4096]byte
		if !im.ReadAt(fn.Addr&^0xfff, page0[:]) || binary.LittleEndian.Uint32(page0[fn.Addr&0xfff+20:]) != bl {
			t.Error("ReadAt and Word differ")
		}
	}
}

func mustSection(t *testing.T, m *Module, name string) ModuleSection {
	s, ok := m.Section(name)
	if !ok {
		t.Fatalf("no section %s", name)
	}
	return s
}

// A function that the module does not define is the kernel's, is reached
// through the PLT where the kernel is too far, and is known by its name where
// there is no kernel.
func TestUndefined(t *testing.T) {
	kernel, err := Open(samples.Modules+"/kernel-mcount.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	alone, err := OpenModule(samples.Modules+"/good-mcount.ko", ModuleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	near, err := OpenModule(samples.Modules+"/good-mcount.ko", ModuleOptions{Kernel: kernel})
	if err != nil {
		t.Fatal(err)
	}
	base, _ := kernel.FarBase()
	far, err := near.PlaceAt(base)
	if err != nil {
		t.Fatal(err)
	}
	mcount, _ := kernel.Addr("_mcount")
	for _, c := range []struct {
		im   *Image
		want string
	}{{alone, "_mcount"}, {near, "_mcount"}, {far, "_mcount@plt"}} {
		callsites, err := moduleTable(c.im, "__mcount_loc")
		if err != nil || len(callsites.Values) != 3 {
			t.Fatalf("%+v, %v", callsites, err)
		}
		for _, entry := range callsites.Values {
			w, _ := c.im.Word(entry)
			target := entry + uint64(int64(int32(w<<6))>>4)
			if c.im.Name(target) != c.want || (c.im == near) != (target == mcount) {
				t.Errorf("%s calls %q (%#x)", c.im.At(entry), c.im.Name(target), target)
			}
		}
	}
}

// What cannot be read as a module is refused in one line: the file, the place,
// and what was expected.
func TestBadModules(t *testing.T) {
	good := samples.LoadModule(t, "good-regs")
	changed := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	le := binary.LittleEndian
	section := func(b []byte, name string) []byte { // its header
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range f.Sections {
			if s.Name == name {
				return b[le.Uint64(b[40:])+uint64(i)*64:]
			}
		}
		t.Fatalf("no section %s", name)
		return nil
	}
	image, err := os.ReadFile(samples.Modules + "/kernel-regs.elf")
	if err != nil {
		t.Fatal(err)
	}
	xzed := modulePackers["ko.xz"](t, good)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"riscv.ko", changed(func(b []byte) { le.PutUint16(b[18:], uint16(elf.EM_RISCV)) }), "made for EM_RISCV: an image for arm64 (EM_AARCH64) or x86-64 (EM_X86_64) was expected"},
		{"arm.ko", changed(func(b []byte) { b[elf.EI_CLASS] = byte(elf.ELFCLASS32) }), "a 32-bit file"},
		{"be.ko", changed(func(b []byte) { b[elf.EI_DATA] = byte(elf.ELFDATA2MSB) }), "a big-endian file"},
		{"vmlinux", image, "a linked image, a module (a relocatable file) was expected"},
		{"empty.ko", nil, "is empty"},
		{"text.ko", []byte("#!/bin/sh\n"), "is a text file"},
		{"cut.ko", good[:len(good)-100], "section headers: cut off"},
		{"object.o", changed(func(b []byte) {
			for _, name := range []string{".modinfo", thisModule} {
				at := bytes.LastIndex(b, []byte(name+"\x00"))
				b[at+1] = 'X'
			}
		}), "is an object file and not a module"},
		{"odd.ko", changed(func(b []byte) { s := section(b, patchable); le.PutUint64(s[32:], le.Uint64(s[32:])-4) }), "callsite table: its size, 0x1c bytes, is not a multiple of 8"},
		{"unloaded.ko", changed(func(b []byte) { le.PutUint64(section(b, patchable)[8:], 0) }), "the callsite table is not loaded"},
		{"type.ko", changed(func(b []byte) {
			s := section(b, ".rela"+patchable)
			le.PutUint32(b[le.Uint64(s[24:])+8:], uint32(elf.R_AARCH64_CALL26))
		}), "R_AARCH64_CALL26 at offset 0x0: R_AARCH64_ABS64 was expected"},
		{"offset.ko", changed(func(b []byte) { s := section(b, ".rela"+patchable); le.PutUint64(b[le.Uint64(s[24:]):], 4) }), "one is for offset 0x4"},
		{"beyond.ko", changed(func(b []byte) { s := section(b, ".rela"+patchable); le.PutUint64(b[le.Uint64(s[24:]):], 1<<40) }), "one is for offset 0x10000000000 of a table of 0x20 bytes"},
		{"huge.ko", changed(func(b []byte) { s := section(b, ".bss"); le.PutUint64(s[32:], 1<<40) }), "is 0x10000000000 bytes long: with it the module takes more than 0x80000000"},
		{"compressed.ko", func() []byte {
			// A header says that it unpacks to 1 MiB: no section in memory is so.
			b := samples.File(good).Replace(t, ".data", append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, good[:100]...))
			s := section(b, ".data")
			le.PutUint64(s[8:], le.Uint64(s[8:])|uint64(elf.SHF_COMPRESSED))
			return b
		}(), "is compressed, and loaded"},
		{"align.ko", changed(func(b []byte) { le.PutUint64(section(b, ".text")[48:], 3) }), "is to be aligned to 0x3 bytes"},
		{"relasize.ko", changed(func(b []byte) { s := section(b, ".rela.text"); le.PutUint64(s[32:], le.Uint64(s[32:])-1) }), "is not a multiple of 24"},
		{"cut.ko.xz", xzed[:len(xzed)/2], "damaged compressed data"},
		{"bit.ko.xz", func() []byte { b := bytes.Clone(xzed); b[len(b)/2] ^= 4; return b }(), "damaged compressed data"},
		{"dictionary.ko.xz", withDictionary(xzed, 37), "to unpack it takes more memory (the dictionary of xz) than the limit of 128 MiB"},
		{"cut.ko.gz", modulePackers["ko.gz"](t, good)[:500], "damaged compressed data after"},
		{"cut.ko.zst", modulePackers["ko.zst"](t, good)[:500], "damaged compressed data"},
		{"nothing.ko.xz", modulePackers["ko.xz"](t, nil), "damaged compressed data: there is nothing in it"},
		{"nothing.ko.gz", modulePackers["ko.gz"](t, nil), "damaged compressed data: there is nothing in it"},
		{"cutinside.ko.xz", modulePackers["ko.xz"](t, good[:1000]), "section headers: cut off"},
	} {
		path := inFile(t, c.name, c.data)
		im, err := OpenModule(path, ModuleOptions{})
		if err == nil {
			_, err = moduleTable(im, patchable)
			im.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
	for name, want := range map[string]string{"": "is a folder"} {
		if _, err := OpenModule(filepath.Join(t.TempDir(), name), ModuleOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a folder: %v", err)
		}
	}
	if _, err := OpenModule(filepath.Join(t.TempDir(), "none.ko"), ModuleOptions{}); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}

// A decompression bomb ends at the limit, and the error says it.
func TestModuleBomb(t *testing.T) {
	const limit = 1 << 20
	bomb := make([]byte, 16<<20)
	for ext, pack := range modulePackers {
		buf := Buffer{limit: limit}
		_, err := OpenModule(inFile(t, "bomb."+ext, pack(t, bomb)), ModuleOptions{Buffer: &buf})
		if err == nil || !strings.Contains(err.Error(), "unpacks to more than the limit of 1,048,576 bytes") {
			t.Errorf("%s: %v", ext, err)
		}
		if n := cap(buf.unpacked); n > 4*limit {
			t.Errorf("%s: %d bytes of memory for a limit of %d", ext, n, limit)
		}
	}
}

// Cut at any byte, or with any byte changed, a module is an error or is read:
// nothing panics.
func TestDamagedModules(t *testing.T) {
	for _, name := range []string{"good-callops", "good-mcount"} {
		good := samples.LoadModule(t, name)
		path := filepath.Join(t.TempDir(), name+".ko")
		try := func(data []byte) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			im, err := OpenModule(path, ModuleOptions{})
			if err != nil {
				return
			}
			exercise(im)
			im.Close()
		}
		step := 1
		if testing.Short() {
			step = 16
		}
		for n := 0; n < len(good); n += step {
			try(good[:n])
			bad := bytes.Clone(good)
			bad[n] ^= 0xff
			try(bad)
		}
	}
}

// exercise asks an image what checks ask.
func exercise(im *Image) {
	for i := range im.Module().Sections {
		table, err := im.AddressesOf("table", i)
		if err != nil {
			continue
		}
		for _, a := range table.Values[:min(len(table.Values), 50)] {
			im.At(a)
			im.Word(a)
			im.Line(a)
			im.Module().PartAt(a)
		}
	}
	for _, r := range im.Sections() {
		var page [4096]byte
		im.ReadAt(r.Addr&^0xfff, page[:])
	}
	if far, err := im.PlaceAt(im.Module().Base - 1<<30); err == nil {
		for i := range far.Module().Sections {
			far.AddressesOf("table", i)
		}
	}
	im.Lookup("init_module")
	im.BuildID()
}

// The debug file of a module is found beside it and by its build ID, and one
// of another build is refused.
func TestModuleDebugFile(t *testing.T) {
	data := samples.LoadModule(t, "good-regs")
	stripped := samples.LoadModule(t, "good-regs-nodwarf")
	dir := t.TempDir()
	path := filepath.Join(dir, "m.ko.xz")
	if err := os.WriteFile(path, modulePackers["ko.xz"](t, stripped), 0o600); err != nil {
		t.Fatal(err)
	}
	line := func(opt ModuleOptions) (Line, error) {
		im, err := OpenModule(path, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		a, ok := im.Addr("write_device")
		if !ok {
			t.Fatal("no write_device")
		}
		l, _ := im.Line(a)
		return l, im.LineProblem()
	}
	if l, err := line(ModuleOptions{}); l.Line != 0 || err == nil {
		t.Errorf("without a debug file: %v, %v", l, err)
	}
	debug := filepath.Join(dir, "elsewhere")
	if err := os.WriteFile(debug, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want := Line{File: "good-regs.S", Line: 18}
	if l, err := line(ModuleOptions{DebugFile: debug}); l != want || err != nil {
		t.Errorf("named: %v, %v", l, err)
	}
	usr := filepath.Join(dir, "usr")
	os.MkdirAll(filepath.Join(usr, dir), 0o700)
	os.Rename(debug, filepath.Join(usr, dir, "m.ko.debug"))
	if l, err := line(ModuleOptions{DebugDirs: []string{usr}}); l != want || err != nil {
		t.Errorf("in a debug folder: %v, %v", l, err)
	}
	os.Rename(filepath.Join(usr, dir, "m.ko.debug"), filepath.Join(dir, "m.ko.debug"))
	if l, err := line(ModuleOptions{}); l != want || err != nil {
		t.Errorf("beside the module: %v, %v", l, err)
	}
	if l, err := line(ModuleOptions{DebugFile: filepath.Join(dir, "none")}); l.Line != 0 || err == nil {
		t.Errorf("none: %v, %v", l, err)
	}
}

// A module that is placed anew is asked for pads as the module that it is.
func TestPadsOfPlacedModule(t *testing.T) {
	im, err := OpenModule(filepath.Join(samples.Modules, "good-regs.ko"), ModuleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	var asked []*Image
	im.SetPads(func(im *Image, addr uint64) (Pad, bool) {
		asked = append(asked, im)
		return Pad{}, false
	})
	moved, err := im.PlaceAt(im.Module().Base - 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range []*Image{im, moved} {
		at, _ := im.Addr("write_device")
		im.Line(at)
	}
	if !slices.Equal(asked, []*Image{im, moved}) {
		t.Errorf("%d images are asked for pads, want the module and the module placed anew", len(asked))
	}
}

// The loader gives sections their addresses, whatever addresses their headers have:
// tools that link with a script leave some there.
func TestSectionsOfModuleWithAddresses(t *testing.T) {
	data := samples.LoadModule(t, "good-callops")
	le := binary.LittleEndian
	read := func(data samples.File) (im *Image, sites []uint64, line string) {
		im, err := OpenModule(inFile(t, "good-callops.ko", data), ModuleOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { im.Close() })
		table, err := moduleTable(im, patchable)
		if err != nil {
			t.Fatal(err)
		}
		fn, ok := im.Addr("init_module")
		if !ok {
			t.Fatal("no init_module")
		}
		im.AddTo(token.NewFileSet())
		return im, table.Values, im.Position(im.Pos(fn)).String()
	}
	plain, sites, line := read(data)
	addressed := slices.Clone(data)
	headers := addressed[le.Uint64(addressed[40:]):]
	for i := range int(le.Uint16(addressed[60:])) {
		addr := uint64(0x1234_0000 + i*0x100)
		if i == 5 {
			addr = ^uint64(7) // the section wraps
		}
		le.PutUint64(headers[i*64+16:], addr)
	}
	im, gotSites, gotLine := read(addressed)
	if !slices.Equal(sites, gotSites) || line != gotLine || line == "-" {
		t.Errorf("callsites %#x and init_module at %s; %#x and %s without addresses", gotSites, gotLine, sites, line)
	}
	if !slices.Equal(plain.Module().Sections, im.Module().Sections) {
		t.Errorf("sections %+v\nwithout addresses %+v", im.Module().Sections, plain.Module().Sections)
	}
	for i := range plain.Sections() {
		a, b := &plain.Sections()[i], &im.Sections()[i]
		if a.Addr != b.Addr || !bytes.Equal(plain.Relocated(a), im.Relocated(b)) {
			t.Errorf("%s differs", a.Name)
		}
	}
}

// x86 puts a blank behind the last word of vermagic. What is read has none.
func TestModInfo(t *testing.T) {
	info := readModInfo([]byte("name=x\x00vermagic=6.12.0-amd64 SMP preempt mod_unload modversions \x00"))
	if want := (ModInfo{Name: "x", Vermagic: "6.12.0-amd64 SMP preempt mod_unload modversions"}); info != want {
		t.Errorf("%+v, want %+v", info, want)
	}
	if !info.MadeFor(info.Vermagic) || !info.MadeFor(info.Vermagic+" ") || info.MadeFor("6.12.0-amd64 SMP mod_unload modversions") {
		t.Errorf("another kernel than that of vermagic %q", info.Vermagic)
	}
}

// A kernel of another architecture has no place for a module.
func TestModuleOfAnotherArch(t *testing.T) {
	kernel, err := Open("../testdata/vmlinux-samples/x86/good.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	im, err := OpenModule("../testdata/module-samples/good-regs.ko", ModuleOptions{Kernel: kernel})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if m := im.Module(); m.Kernel != nil || m.Base != noKernelBase {
		t.Errorf("kernel %v, at %#x", m.Kernel, m.Base)
	}
}
