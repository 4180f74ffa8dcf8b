package elfscan

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// eras says of each sample, by the beginning of its name, of which era it is;
// the longest beginning counts.
var eras = map[string]Era{
	"mcount": EraMcount, "label-missing-mcount": EraMcount, "site-malformed-mcount": EraMcount,
	"regs": EraRegs, "args": EraArgs, "callops": EraCallops,
	"dyntramp-live": EraDyntramp, "rfc-trampoline": EraDyntramp, "label-missing-tramp": EraDyntramp,
	"op-label": EraDyntramp, "metadata": EraDyntramp,
	"site-malformed-callops": EraCallops, "site-not-at-entry-callops": EraCallops, "site-misaligned": EraCallops,
}

func TestEra(t *testing.T) {
	known := 0
	for _, name := range allSamples(t) {
		want, longest := EraNone, ""
		for prefix, era := range eras {
			if strings.HasPrefix(name, prefix) && len(prefix) > len(longest) {
				want, longest = era, prefix
			}
		}
		if longest == "" || strings.HasSuffix(name, "-stripped") {
			continue
		}
		known++
		if got := load(t, name).mustOpen(t).Era(); got != want {
			t.Errorf("%s is of era %v, want %v", name, got, want)
		}
	}
	if known < 20 {
		t.Errorf("the eras of only %d samples are known", known)
	}
}

// Where two eras have the same symbols, the callsites' words decide: not the
// name of a slot that a later kernel may have as well.
func TestEraWithoutTable(t *testing.T) {
	for name, want := range map[string]Era{"regs-good": EraRegs, "args-good": EraArgs, "callops-good": EraCallops, "mcount-good": EraMcount} {
		s := load(t, name)
		s.undefine(t, "__start_mcount_loc")
		s.undefine(t, "__stop_mcount_loc")
		if got := s.mustOpen(t).Era(); got != want {
			t.Errorf("%s without its callsite table is of era %v, want %v", name, got, want)
		}
	}
	s := load(t, "args-good")
	for _, name := range []string{"ftrace_caller", "ftrace_make_call", "__start_mcount_loc", "__stop_mcount_loc"} {
		s.undefine(t, name)
	}
	im := s.mustOpen(t)
	if sites, err := im.Sites(); im.Era() != EraNone || sites != nil || err != nil {
		t.Errorf("an image without ftrace is of era %v, with callsites %v, %v", im.Era(), sites, err)
	}
}

// The same table is read from every form that a build stores it in.
func TestTableForms(t *testing.T) {
	for _, test := range []struct {
		name, form string
		zeros      bool // in place
	}{
		{"regs-good", "RELA relocations", true},
		{"regs-good-inplace", "RELA relocations", false},
		{"regs-good-static", "values in place", false},
		{"callops-good", "RELR relocations", false},
		{"callops-good-rela", "RELA relocations", true},
		{"args-good-relr", "RELR relocations", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := load(t, test.name)
			im := s.mustOpen(t)
			sites, err := im.Sites()
			if err != nil {
				t.Fatal(err)
			}
			if sites.Form() != test.form {
				t.Errorf("the values are stored as %q, want %q", sites.Form(), test.form)
			}
			raw := s.table(t)
			if zeros := bytes.Count(raw, []byte{0}) == len(raw); zeros != test.zeros {
				t.Errorf("all zero in place: %v, want %v", zeros, test.zeros)
			}
			wantBlank := 0
			if strings.HasPrefix(test.name, "callops-good") {
				wantBlank = 3
			}
			if sites.Blank != wantBlank || len(sites.Table) != len(raw)/8 || len(sites.Addrs) != len(sites.Table)-sites.Blank {
				t.Errorf("%d entries, %d blank, %d callsites; want %d blank of %d", len(sites.Table), sites.Blank, len(sites.Addrs), wantBlank, len(raw)/8)
			}
			if !slices.IsSorted(sites.Addrs) || slices.Contains(sites.Addrs, 0) {
				t.Errorf("callsites %#x are not sorted, or blank", sites.Addrs)
			}
			// Traced functions of the sample are there, and nothing but functions.
			fns := []string{"schedule_work_on", "do_nothing", "handle_irq", "start_kernel"}
			if test.name == "args-good-relr" {
				fns = []string{"vfs_read"}
			}
			for _, fn := range fns {
				at := s.value(t, fn)
				if !slices.ContainsFunc(sites.Addrs, func(a uint64) bool { return im.SiteAs(a, im.Era().Shape()).Func == at }) {
					t.Errorf("%s (%#x) is no callsite among %#x", fn, at, sites.Addrs)
				}
			}
			for _, a := range sites.Addrs {
				if site := im.SiteAs(a, im.Era().Shape()); !site.OK || !im.FunctionAt(site.Func) || !im.IsText(site.Call) {
					t.Errorf("callsite %#x: %+v", a, site)
				}
				if !sites.Contains(a) || sites.Contains(a+1) {
					t.Errorf("Contains(%#x) is wrong", a)
				}
			}
			// The place that Place names holds the value.
			for i, v := range sites.Table {
				if v == 0 {
					continue
				}
				if got, ok := im.Uint64(sites.Start + uint64(i)*8); !ok || got != v {
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
		s := load(t, name)
		im := s.mustOpen(t)
		sites, err := im.Sites()
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, len(sites.Table)*8)
		for i, v := range sites.Table {
			le.PutUint64(want[i*8:], v)
		}
		got := make([]byte, len(want))
		for _, cut := range []int{0, 1, 3, 7, 8, 9} { // also from the middle of a word
			b := got[:len(got)-cut]
			if !im.ReadAt(sites.Start+uint64(cut), b) || !bytes.Equal(b, want[cut:]) {
				t.Errorf("%s: ReadAt from +%d gives\n% x, want\n% x", name, cut, b, want[cut:])
			}
			if !im.ReadAt(sites.Start, b) || !bytes.Equal(b, want[:len(b)]) {
				t.Errorf("%s: ReadAt to -%d gives\n% x, want\n% x", name, cut, b, want[:len(b)])
			}
		}
	}
	s := load(t, "regs-good")
	im := s.mustOpen(t)
	op, list := s.value(t, "function_trace_op"), s.value(t, "ftrace_list_end")
	if v, ok := im.Uint64(op); !ok || v != list {
		t.Errorf("function_trace_op holds %#x, want ftrace_list_end (%#x)", v, list)
	}
	buf := bytes.Repeat([]byte{0xaa}, 32)
	bss := s.value(t, "__bss_start")
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
	if _, ok := im.Word(s.value(t, "_end")); ok {
		t.Error("there is a word at _end")
	}
}

// Of relocations of one place the last counts, as when the kernel applies
// them; a relocation that refers to a symbol counts the symbol.
func TestLastRelocationCounts(t *testing.T) {
	s := load(t, "regs-good")
	_, rela := s.section(t, ".rela.dyn")
	n := len(rela) / relaSize
	first, last := rela[:relaSize], rela[(n-1)*relaSize:]
	place := le.Uint64(first)
	copy(last, first)
	le.PutUint64(last[16:], 0x1234)
	im := s.mustOpen(t)
	if v, _ := im.Uint64(place); v != 0x1234 {
		t.Errorf("the word at %#x is %#x, the last relocation says 0x1234", place, v)
	}
	var buf [8]byte
	if im.ReadAt(place, buf[:]); le.Uint64(buf[:]) != 0x1234 {
		t.Errorf("ReadAt(%#x) is % x, the last relocation says 0x1234", place, buf)
	}
}

// A table that lies is refused with what is wrong with it.
func TestTableRefused(t *testing.T) {
	const start, stop = "__start_mcount_loc", "__stop_mcount_loc"
	for _, test := range []struct {
		name string
		edit func(t *testing.T, s sample) sample
		want string
	}{
		{"no start", func(t *testing.T, s sample) sample { s.undefine(t, start); return s },
			"callsite table: symbol __start_mcount_loc is missing (__stop_mcount_loc is 0xffff8000"},
		{"no stop", func(t *testing.T, s sample) sample { s.undefine(t, stop); return s },
			"callsite table: symbol __stop_mcount_loc is missing (__start_mcount_loc is 0xffff8000"},
		{"neither", func(t *testing.T, s sample) sample { s.undefine(t, start); s.undefine(t, stop); return s },
			"callsite table: the image has ftrace_make_call, but neither __start_mcount_loc nor __stop_mcount_loc"},
		{"reversed", func(t *testing.T, s sample) sample {
			a, b := s.value(t, start), s.value(t, stop)
			s.setValue(t, start, b)
			s.setValue(t, stop, a)
			return s
		}, "callsite table: reversed: __start_mcount_loc is 0xffff8000"},
		{"odd size", func(t *testing.T, s sample) sample { s.setValue(t, stop, s.value(t, stop)-3); return s },
			"bytes, is not a multiple of 8 (0xffff8000"},
		{"in no section", func(t *testing.T, s sample) sample {
			s.setValue(t, start, 0x1000)
			s.setValue(t, stop, 0x1010)
			return s
		},
			"callsite table: 0x1000..0x1010 does not lie in one section with file bytes"},
		{"in two sections", func(t *testing.T, s sample) sample { s.setValue(t, stop, s.value(t, stop)+0x200); return s },
			"does not lie in one section with file bytes"},
		{"in .bss", func(t *testing.T, s sample) sample {
			s.setValue(t, start, s.value(t, "__bss_start"))
			s.setValue(t, stop, s.value(t, "__bss_start"))
			s.setValue(t, stop, s.value(t, "__bss_start")+0x8)
			return s
		}, "does not lie in one section with file bytes"},
		{"larger than the file", func(t *testing.T, s sample) sample { s.setValue(t, stop, s.value(t, start)+1<<40); return s },
			"is larger than the file"},
		{"all of memory", func(t *testing.T, s sample) sample {
			s.setValue(t, start, 0)
			s.setValue(t, stop, ^uint64(7))
			return s
		}, "callsite table: 0x0..0xfffffffffffffff8 is larger than the file"},
		{"zeros that nothing fills in", func(t *testing.T, s sample) sample { clear(s.table(t)); return s },
			"callsite table: all 9 entries are zero, and no relocation fills them in"},
		{"relocation of half an entry", func(t *testing.T, _ sample) sample {
			s := load(t, "regs-good")
			_, rela := s.section(t, ".rela.dyn")
			le.PutUint64(rela, s.value(t, start)+4)
			return s
		}, "is not at an entry"},
		{"RELA of odd size", func(t *testing.T, _ sample) sample {
			s := load(t, "regs-good")
			header, _ := s.section(t, ".rela.dyn")
			le.PutUint64(header[shSize:], 25)
			return s
		}, "(.rela.dyn): its size, 0x19 bytes, is not a multiple of 24"},
		{"RELR of odd size", func(t *testing.T, _ sample) sample {
			s := load(t, "callops-good")
			header, _ := s.section(t, ".relr.dyn")
			le.PutUint64(header[shSize:], 15)
			return s
		}, "(.relr.dyn): its size, 0xf bytes, is not a multiple of 8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			im := test.edit(t, load(t, "regs-good-static")).mustOpen(t)
			var sites *Sites
			var err error
			if taken := allocated(func() { sites, err = im.Sites() }); taken > 1<<20 {
				t.Errorf("it takes %d bytes of memory to say so", taken)
			}
			clearError(t, err, "vmlinux", test.want)
			if sites != nil {
				t.Errorf("and there are %d callsites", len(sites.Addrs))
			}
			digest(im) // what else is asked has an answer
		})
	}
}

// An empty table is a table without callsites.
func TestEmptyTable(t *testing.T) {
	s := load(t, "regs-good-static")
	s.setValue(t, "__stop_mcount_loc", s.value(t, "__start_mcount_loc"))
	sites, err := s.mustOpen(t).Sites()
	if err != nil || sites == nil || len(sites.Table) != 0 || len(sites.Addrs) != 0 {
		t.Errorf("%+v, %v", sites, err)
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
		s := load(t, "callops-good").replace(t, ".relr.dyn", words)
		sites, err := s.mustOpen(t).Sites()
		if err != nil {
			t.Fatal(err)
		}
		if sites.FromRelr < 0 || sites.FromRelr > 64*32 || sites.Blank != 3 {
			t.Errorf("%d RELR relocations, %d blank entries", sites.FromRelr, sites.Blank)
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
	im := load(t, "callops-good").replace(t, ".relr.dyn", b).mustOpen(t)
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
