package elfscan

import (
	"debug/elf"
	"fmt"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/internal/samples"
)

func TestLookup(t *testing.T) {
	s := samples.Load(t, "regs-good")
	im := mustOpen(t, s)
	got, ok := im.Lookup("ftrace_common")
	if !ok || got.Name != "ftrace_common" || got.Addr != s.Value(t, "ftrace_common") || got.Size == 0 || got.Bind != elf.STB_GLOBAL {
		t.Errorf("ftrace_common is %+v, %v", got, ok)
	}
	if w, _ := im.Lookup("arch_ftrace_update_trampoline"); w.Bind != elf.STB_WEAK || w.Type != elf.STT_FUNC {
		t.Errorf("arch_ftrace_update_trampoline is %+v, a weak function was expected", w)
	}
	for _, name := range []string{"", "$x", "$d", "ftrace_commo", "ftrace_commons", ".text", "no such symbol"} {
		if got, ok := im.Lookup(name); ok {
			t.Errorf("there is a symbol %q: %+v", name, got)
		}
	}
}

// Every named symbol can be looked up: the hash table has lost none.
func TestLookupAll(t *testing.T) {
	for _, name := range []string{"regs-good", "callops-good", "rfc-trampoline"} {
		im := mustOpen(t, samples.Load(t, name))
		n := 0
		im.EachSymbol(func(addr uint64, name []byte, _ elf.SymType) bool {
			n++
			if s, ok := im.Lookup(string(name)); !ok || s.Name != string(name) {
				t.Errorf("%s (%#x) is not found: %+v", name, addr, s)
			}
			return true
		})
		if n < 50 {
			t.Errorf("%s has only %d symbols", name, n)
		}
	}
}

// Of two symbols of one name the global one counts, wherever it stands.
func TestLookupPrefersGlobal(t *testing.T) {
	for _, pair := range [][2]string{{"do_nothing", "schedule_work_on"}, {"modify_code", "ftrace_stub"}} {
		s := samples.Load(t, "regs-good")
		local, global := s.Symbol(t, pair[0]), s.Symbol(t, pair[1])
		if elf.ST_BIND(local[4]) != elf.STB_LOCAL || elf.ST_BIND(global[4]) != elf.STB_GLOBAL {
			t.Fatalf("%v are not a local and a global symbol", pair)
		}
		want := le.Uint64(global[samples.StValue:])
		copy(global[:4], local[:4]) // the same name
		if got, _ := mustOpen(t, s).Addr(pair[0]); got != want {
			t.Errorf("%s is %#x, want the global one, %#x", pair[0], got, want)
		}
		// The other way round: bindings swapped.
		local[4], global[4] = global[4], local[4]
		want = le.Uint64(local[samples.StValue:])
		if got, _ := mustOpen(t, s).Addr(pair[0]); got != want {
			t.Errorf("%s is %#x, want the global one, %#x", pair[0], got, want)
		}
	}
}

// Names of addresses: the nearest symbol at or before, of its own section; at
// one address, functions before others and global ones before local ones.
func TestNames(t *testing.T) {
	s := samples.Load(t, "regs-good")
	im := mustOpen(t, s)
	common, irq := s.Value(t, "ftrace_common"), s.Value(t, "handle_irq")
	for addr, want := range map[uint64]string{
		common:      "ftrace_common",
		common + 4:  "ftrace_common+0x4",
		common + 1:  "ftrace_common+0x1",
		common - 4:  fmt.Sprintf("ftrace_caller+%#x", common-4-s.Value(t, "ftrace_caller")),
		irq:         "handle_irq", // not _stext, nor __irqentry_text_start
		0:           "",
		0x1000:      "",
		^uint64(0):  "",
		^uint64(63): "",
	} {
		if got := im.Name(addr); got != want {
			t.Errorf("%#x is %q, want %q", addr, got, want)
		}
	}
	if got, want := im.At(common+4), fmt.Sprintf("ftrace_common+0x4 (%#x)", common+4); got != want {
		t.Errorf("At is %q, want %q", got, want)
	}
	if got := im.At(0x1000); got != "0x1000" {
		t.Errorf("At is %q for an address with no name", got)
	}
	// A section's first bytes are not named after the section before.
	header, _ := s.Section(t, ".data")
	first := le.Uint64(header[samples.ShAddr:])
	for _, name := range []string{"_sdata", "_data", "function_trace_op", "__initdata_end", "__init_end"} {
		if s.Value(t, name) == first {
			s.Undefine(t, name)
		}
	}
	if got := mustOpen(t, s).Name(first); got != "" {
		t.Errorf("the first bytes of .data are named %q, after a symbol of another section", got)
	}

	if !im.FunctionAt(common) || im.FunctionAt(common+4) || im.FunctionAt(s.Value(t, "ftrace_list_end")) {
		t.Error("FunctionAt: ftrace_common is a function; its second instruction and ftrace_list_end are not")
	}
}

// Symbols are in the order of their addresses, however far apart they lie.
func TestEachSymbolOrder(t *testing.T) {
	near := samples.Load(t, "regs-good")
	far := samples.Load(t, "regs-good")
	// Too far apart for an offset and an index to be sorted as one word: the
	// low 42 bits of the last one's offset from the first are 8.
	far.SetValue(t, "do_nothing", 0x1000)
	far.SetValue(t, "schedule", 0xfffffc0000001008)
	for name, s := range map[string]samples.File{"near": near, "far": far} {
		var addrs []uint64
		mustOpen(t, s).EachSymbol(func(addr uint64, _ []byte, _ elf.SymType) bool {
			addrs = append(addrs, addr)
			return true
		})
		if !slices.IsSorted(addrs) || len(addrs) < 50 {
			t.Errorf("%s: symbols are not in order: %#x", name, addrs)
		}
		if name == "far" && addrs[0] != 0x1000 {
			t.Errorf("far: the first symbol is at %#x", addrs[0])
		}
	}
}

func TestBuildIDAndPageSize(t *testing.T) {
	s := samples.Load(t, "regs-good")
	if id := mustOpen(t, s).BuildID(); id != "" {
		t.Errorf("build ID %q; the sample has none", id)
	}
	if size := mustOpen(t, s).PageSize(); size != 4096 {
		t.Errorf("pages of %d bytes, want 4096", size)
	}
	if id := mustOpen(t, withBuildID(t, s, "\x12\x34\xab")).BuildID(); id != "1234ab" {
		t.Errorf("build ID %q, want 1234ab", id)
	}
	_, head := s.Section(t, ".head.text")
	for flag, want := range map[byte]uint64{0: 0, 1: 4 << 10, 2: 16 << 10, 3: 64 << 10} {
		head[24] = flag << 1
		if size := mustOpen(t, s).PageSize(); size != want {
			t.Errorf("with the flags %#x pages have %d bytes, want %d", flag<<1, size, want)
		}
	}
	copy(head[56:], "none")
	if size := mustOpen(t, s).PageSize(); size != 0 {
		t.Errorf("without an image header pages have %d bytes, want 0", size)
	}
}

// Asking for a symbol allocates its name and nothing else; the indexes are a
// few allocations each, however many symbols there are.
func TestAllocations(t *testing.T) {
	im := mustOpen(t, samples.Load(t, "regs-good"))
	at, _ := im.Addr("ftrace_common")
	im.SymbolAt(at)
	for name, f := range map[string]func(){
		"Lookup":       func() { im.Lookup("ftrace_common") },
		"SymbolAt":     func() { im.SymbolAt(at + 4) },
		"Addr":         func() { im.Addr("ftrace_common") },
		"Lookup, none": func() { im.Lookup("no such symbol") },
		"FunctionAt":   func() { im.FunctionAt(at) },
		"Word":         func() { im.Word(at) },
	} {
		want := map[string]float64{"Lookup": 1, "SymbolAt": 1, "Addr": 1}[name]
		if got := testing.AllocsPerRun(100, f); got > want {
			t.Errorf("%s allocates %v times, want %v", name, got, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { im.indexNames() }); n > 4 {
		t.Errorf("the index of %d symbols by name takes %v allocations", im.NumSymbols(), n)
	}
	if n := testing.AllocsPerRun(10, func() { im.indexAddrs() }); n > 4 {
		t.Errorf("the index of %d symbols by address takes %v allocations", im.NumSymbols(), n)
	}
}

// Of several names of an address the choice is the same in whatever order the
// table has them: a global function, then the shortest name. Its address has one
// name that is shorter and local, one that is weak, and two with a prefix.
func TestNamesOfAliases(t *testing.T) {
	for _, pair := range [][2]string{{"vfs_read", "vfs_read"}, {"__pi_vfs_read", "vfs_read"}, {"rd", "vfs_read"}, {"vfs_read_slow", "rd"}, {"open", "vfs_open"}, {"vfs_open", "__se_vfs_open"}} {
		s := samples.Load(t, "site-aliased")
		read, open := s.Value(t, "vfs_read"), s.Value(t, "vfs_open")
		a, b := s.Symbol(t, pair[0]), s.Symbol(t, pair[1])
		was := slices.Clone(a)
		copy(a, b)
		copy(b, was)
		im := mustOpen(t, s)
		if im.Name(read) != "vfs_read" || im.Name(open+4) != "vfs_open+0x4" {
			t.Errorf("%v swapped: %s, %s", pair, im.Name(read), im.Name(open+4))
		}
	}
	// Without a global name the local one serves; a label never before a function.
	s := samples.Load(t, "site-aliased")
	for _, name := range []string{"vfs_read", "__pi_vfs_read", "vfs_read_slow"} {
		s.Symbol(t, name)[4] = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_NOTYPE)
	}
	if got := mustOpen(t, s).Name(s.Value(t, "vfs_read")); got != "rd" {
		t.Errorf("%s, want the local function rd", got)
	}
}
