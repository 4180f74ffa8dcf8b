package elfscan

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/internal/samples"
)

// The same table is read from every form that a build stores it in.
func TestAddresses(t *testing.T) {
	fns := []string{"schedule_work_on", "do_nothing", "handle_irq", "start_kernel"}
	for _, test := range []struct {
		name, form string
		zeros      bool   // in place
		before     uint64 // bytes from an entry to its function
		fns        []string
	}{
		{"regs-good", "RELA relocations", true, 0, fns},
		{"regs-good-inplace", "RELA relocations", false, 0, fns},
		{"regs-good-static", "values in place", false, 0, fns},
		{"callops-good", "RELR relocations", false, 8, fns},
		{"callops-good-rela", "RELA relocations", true, 8, fns},
		{"args-good-relr", "RELR relocations", false, 0, []string{"vfs_read"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := samples.Load(t, test.name)
			im := mustOpen(t, s)
			table, err := callsites(im)
			if err != nil {
				t.Fatal(err)
			}
			if table.Form() != test.form {
				t.Errorf("the values are stored as %q, want %q", table.Form(), test.form)
			}
			raw := s.Table(t)
			if zeros := bytes.Count(raw, []byte{0}) == len(raw); zeros != test.zeros {
				t.Errorf("all zero in place: %v, want %v", zeros, test.zeros)
			}
			if len(table.Values) != len(raw)/8 || table.End-table.Start != uint64(len(raw)) {
				t.Errorf("%d entries at %#x..%#x, want %d", len(table.Values), table.Start, table.End, len(raw)/8)
			}
			for _, fn := range test.fns {
				if at := s.Value(t, fn); !slices.Contains(table.Values, at-test.before) {
					t.Errorf("%s (%#x) is not among %#x", fn, at, table.Values)
				}
			}
			for i, v := range table.Values {
				if v == 0 {
					continue
				}
				if got, ok := im.Uint64(table.Start + uint64(i)*8); !ok || got != v {
					t.Errorf("Uint64 of entry %d is %#x, want %#x", i, got, v)
				}
			}
		})
	}
}

// ReadAt and Uint64 see the words as they are once the kernel has relocated
// itself; what lies in no section reads as zero.
func TestRelocatedBytes(t *testing.T) {
	for _, name := range []string{"regs-good", "regs-good-inplace", "callops-good-rela"} {
		s := samples.Load(t, name)
		im := mustOpen(t, s)
		table, err := callsites(im)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, len(table.Values)*8)
		for i, v := range table.Values {
			le.PutUint64(want[i*8:], v)
		}
		got := make([]byte, len(want))
		for _, cut := range []int{0, 1, 3, 7, 8, 9} { // also from the middle of a word
			b := got[:len(got)-cut]
			if !im.ReadAt(table.Start+uint64(cut), b) || !bytes.Equal(b, want[cut:]) {
				t.Errorf("%s: ReadAt from +%d gives\n% x, want\n% x", name, cut, b, want[cut:])
			}
			if !im.ReadAt(table.Start, b) || !bytes.Equal(b, want[:len(b)]) {
				t.Errorf("%s: ReadAt to -%d gives\n% x, want\n% x", name, cut, b, want[:len(b)])
			}
		}
	}
	s := samples.Load(t, "regs-good")
	im := mustOpen(t, s)
	op, list := s.Value(t, "function_trace_op"), s.Value(t, "ftrace_list_end")
	if v, ok := im.Uint64(op); !ok || v != list {
		t.Errorf("function_trace_op holds %#x, want ftrace_list_end (%#x)", v, list)
	}
	buf := bytes.Repeat([]byte{0xaa}, 32)
	bss := s.Value(t, "__bss_start")
	if !im.ReadAt(bss-8, buf) || !bytes.Equal(buf[8:], make([]byte, 24)) {
		t.Errorf(".bss reads as % x", buf[8:])
	}
	buf = bytes.Repeat([]byte{0xaa}, 32)
	if im.ReadAt(0x1000, buf) || !bytes.Equal(buf, make([]byte, 32)) {
		t.Errorf("an address in no section reads as % x", buf)
	}
	if _, ok := im.Uint64(bss); ok {
		t.Error(".bss has bytes in the file")
	}
	if _, ok := im.Word(s.Value(t, "_end")); ok {
		t.Error("there is a word at _end")
	}
}

// Of relocations of one place the last counts, as when the kernel applies
// them; a relocation that refers to a symbol counts the symbol.
func TestLastRelocationCounts(t *testing.T) {
	s := samples.Load(t, "regs-good")
	_, rela := s.Section(t, ".rela.dyn")
	n := len(rela) / relaSize
	first, last := rela[:relaSize], rela[(n-1)*relaSize:]
	place := le.Uint64(first)
	copy(last, first)
	le.PutUint64(last[16:], 0x1234)
	im := mustOpen(t, s)
	if v, _ := im.Uint64(place); v != 0x1234 {
		t.Errorf("the word at %#x is %#x, the last relocation says 0x1234", place, v)
	}
	var buf [8]byte
	if im.ReadAt(place, buf[:]); le.Uint64(buf[:]) != 0x1234 {
		t.Errorf("ReadAt(%#x) is % x, the last relocation says 0x1234", place, buf)
	}
}

// A table that lies is refused with what is wrong with it.
func TestAddressesRefused(t *testing.T) {
	const start, stop = samples.TableStart, samples.TableStop
	for _, test := range []struct {
		name string
		edit func(t *testing.T, s samples.File) samples.File
		want string
	}{
		{"odd size", func(t *testing.T, s samples.File) samples.File { s.SetValue(t, stop, s.Value(t, stop)-3); return s },
			"bytes, is not a multiple of 8 (0xffff8000"},
		{"in no section", func(t *testing.T, s samples.File) samples.File {
			s.SetValue(t, start, 0x1000)
			s.SetValue(t, stop, 0x1010)
			return s
		},
			"table: 0x1000..0x1010 does not lie in one section with file bytes"},
		{"in two sections", func(t *testing.T, s samples.File) samples.File { s.SetValue(t, stop, s.Value(t, stop)+0x200); return s },
			"does not lie in one section with file bytes"},
		{"in .bss", func(t *testing.T, s samples.File) samples.File {
			s.SetValue(t, start, s.Value(t, "__bss_start"))
			s.SetValue(t, stop, s.Value(t, "__bss_start"))
			s.SetValue(t, stop, s.Value(t, "__bss_start")+0x8)
			return s
		}, "does not lie in one section with file bytes"},
		{"larger than the file", func(t *testing.T, s samples.File) samples.File {
			s.SetValue(t, stop, s.Value(t, start)+1<<40)
			return s
		},
			"is larger than the file"},
		{"all of memory", func(t *testing.T, s samples.File) samples.File {
			s.SetValue(t, start, 0)
			s.SetValue(t, stop, ^uint64(7))
			return s
		}, "table: 0x0..0xfffffffffffffff8 is larger than the file"},
		{"relocation of half an entry", func(t *testing.T, _ samples.File) samples.File {
			s := samples.Load(t, "regs-good")
			_, rela := s.Section(t, ".rela.dyn")
			le.PutUint64(rela, s.Value(t, start)+4)
			return s
		}, "is not at an entry"},
		{"RELA of odd size", func(t *testing.T, _ samples.File) samples.File {
			s := samples.Load(t, "regs-good")
			header, _ := s.Section(t, ".rela.dyn")
			le.PutUint64(header[samples.ShSize:], 25)
			return s
		}, "(.rela.dyn): its size, 0x19 bytes, is not a multiple of 24"},
		{"RELR of odd size", func(t *testing.T, _ samples.File) samples.File {
			s := samples.Load(t, "callops-good")
			header, _ := s.Section(t, ".relr.dyn")
			le.PutUint64(header[samples.ShSize:], 15)
			return s
		}, "(.relr.dyn): its size, 0xf bytes, is not a multiple of 8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			im := mustOpen(t, test.edit(t, samples.Load(t, "regs-good-static")))
			var table *Addresses
			var err error
			if taken := allocated(func() { table, err = callsites(im) }); taken > 1<<20 {
				t.Errorf("it takes %d bytes of memory to say so", taken)
			}
			clearError(t, err, "vmlinux", test.want)
			if table != nil {
				t.Errorf("and there are %d addresses", len(table.Values))
			}
			digest(im) // what else is asked has an answer
		})
	}
}

// RELR words of any content are counted in the time that they take to read.
func TestRelrGarbage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		words := make([]byte, 8*32)
		for i := 0; i < len(words); i += 8 {
			w := random.Uint64()
			switch random.IntN(4) {
			case 0:
				w |= 1
			case 1:
				w = ^uint64(0)
			case 2:
				w = w&0xffff | 0xffff800080040000
			}
			binary.LittleEndian.PutUint64(words[i:], w)
		}
		s := samples.Load(t, "callops-good").Replace(t, ".relr.dyn", words)
		table, err := callsites(mustOpen(t, s))
		if err != nil {
			t.Fatal(err)
		}
		blank := 0
		for _, v := range table.Values {
			if v == 0 {
				blank++
			}
		}
		if table.FromRelr < 0 || table.FromRelr > 64*32 || blank != 3 {
			t.Errorf("%d RELR relocations, %d blank entries", table.FromRelr, blank)
		}
	}
}

// An address word and the bitmaps behind it stand for the words that they
// name: the example of the generic ABI's "Relative relocations".
func TestCountRelr(t *testing.T) {
	const base = 0xffff800080000000
	words := []uint64{
		base,                    // the word at base
		0b1011,                  // the 1st and the 3rd behind it
		1,                       // none of the next 63
		1 | 1<<63,               // the last of the next 63
		base + 0x10000,          // another run
		0xffffffffffffffff << 0, // all 63 behind it
	}
	b := make([]byte, len(words)*8)
	for i, w := range words {
		le.PutUint64(b[i*8:], w)
	}
	im := mustOpen(t, samples.Load(t, "callops-good").Replace(t, ".relr.dyn", b))
	for _, test := range []struct {
		lo, hi uint64
		want   int
	}{
		{0, ^uint64(0), 1 + 2 + 0 + 1 + 1 + 63},
		{base, base + 8, 1},
		{base + 8, base + 16, 1},
		{base + 16, base + 24, 0},
		{base + 24, base + 32, 1},
		{base + 8 + 63*8*2, base + 8 + 63*8*3, 1},
		{base + 63*8*3, base + 8 + 63*8*3, 1}, // the very last word
		{base + 0x10000, base + 0x10008, 1},
		{base + 0x10008, base + 0x10008 + 63*8, 63},
		{base + 0x10008 + 63*8, ^uint64(0), 0},
	} {
		if n, err := im.countRelr(test.lo, test.hi); n != test.want || err != nil {
			t.Errorf("%d relocations in %#x..%#x (%v), want %d", n, test.lo, test.hi, err, test.want)
		}
	}
}
