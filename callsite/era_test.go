package callsite_test

import (
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/internal/samples"
)

// Each symbol of an era tells it, whatever the callsites look like. The first
// era in the list of which there is one counts.
func TestEraBySymbol(t *testing.T) {
	told := 0
	for _, era := range arch.ARM64.Eras {
		for _, symbol := range era.Symbols {
			s := samples.Load(t, "callops-good")
			_, strtab := s.Section(t, ".strtab")
			s = s.Replace(t, ".strtab", append(append([]byte{}, strtab...), symbol+"\x00"...))
			le.PutUint32(s.Symbol(t, "ftrace_stub_graph"), uint32(len(strtab)))
			if table := tableOf(t, s); table.Era != era || table.Shape != era.Shape {
				t.Errorf("callops-good with %s is of era %v, want %v", symbol, table.Era, era)
			}
			told++
		}
	}
	if told < 3 {
		t.Errorf("%d symbols tell an era", told)
	}
}

// Where no symbol tells, what most callsites look like does. Where most look
// like none, it is as if there were no callsites.
func TestEraByVote(t *testing.T) {
	s := samples.Load(t, "args-good")
	s.Undefine(t, "ftrace_call")
	addrs := tableOf(t, s).Addrs
	for broken := range addrs {
		im := open(t, s)
		for _, a := range addrs[:broken] {
			for i := range uint64(2) {
				if err := im.SetWord(a+i*a64.Size, a64.EncodeMOV(1, 2)); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := arch.Args
		if broken >= len(addrs)-broken {
			want = arch.Callops
		}
		if table, err := callsite.Of(im); err != nil || table.Era != want {
			t.Errorf("%d of %d callsites are broken: era %v, want %v (%v)", broken, len(addrs), table.Era, want, err)
		}
	}
}

// Where callsites tell nothing either, the slot's name does. Its absence tells
// that the callsites lead to the ops.
func TestEraByHint(t *testing.T) {
	for _, c := range []struct {
		sample  string
		without string
		want    *arch.Era
	}{
		{"args-good", "", arch.Args},
		{"args-good", "ftrace_call", arch.Callops},
		{"callops-good", "", arch.Callops},
		{"mcount-good", "", arch.Mcount},
	} {
		s := samples.Load(t, c.sample)
		for _, name := range []string{"__start_mcount_loc", "__stop_mcount_loc"} {
			s.Undefine(t, name)
		}
		if c.without != "" {
			s.Undefine(t, c.without)
		}
		// The table is missing, which is an error beside the era.
		if table, _ := callsite.Of(open(t, s)); table.Era != c.want || len(table.Addrs) > 0 {
			t.Errorf("%s without callsites and %q: era %v, want %v", c.sample, c.without, table.Era, c.want)
		}
	}
}

// A module without a kernel is of the era that its callsites' shape and its
// section tell.
func TestEraOfModuleAlone(t *testing.T) {
	for name, want := range map[string]*arch.Era{
		"good-mcount": arch.Mcount, "good-regs": arch.RegsEra, "good-callops": arch.Callops, "good-callops-bti": arch.Callops, "no-callsites": arch.None,
	} {
		table, err := callsite.Of(openModule(t, samples.LoadModule(t, name), nil))
		if err != nil || table.Era != want || table.Shape != want.Shape {
			t.Errorf("%s is of era %v, want %v (%v)", name, table.Era, want, err)
		}
	}
}

// Entries that point at no code have no say in the era of a module.
func TestEraDespiteEntriesOfNoCode(t *testing.T) {
	for section, file := range map[string]samples.File{
		"__patchable_function_entries": samples.LoadModule(t, "good-regs"),
		"__mcount_loc":                 samples.LoadModule(t, "../vmlinux-samples/x86/module-good"),
	} {
		_, rela := file.Section(t, ".rela"+section)
		const size, addend = 24, 16
		for at := 0; at < len(rela)-size; at += size { // all but the last
			le.PutUint64(rela[at+addend:], 1<<40)
		}
		im := openModule(t, file, nil)
		table, err := callsite.Of(im)
		if err != nil || table.Era == arch.None || len(table.Addrs) < 3 {
			t.Errorf("%s is of era %v with %d callsites, %v", section, table.Era, len(table.Addrs), err)
		}
	}
}

// A module whose table is empty is of no era, whatever its kernel is of.
func TestEraOfEmptyTable(t *testing.T) {
	file := samples.LoadModule(t, "good-regs")
	for _, name := range []string{"__patchable_function_entries", ".rela__patchable_function_entries"} {
		header, _ := file.Section(t, name)
		le.PutUint64(header[samples.ShSize:], 0)
	}
	table, err := callsite.Of(openModule(t, file, open(t, samples.Load(t, "args-good"))))
	if err != nil || table.Era != arch.None || table.Section == "" || len(table.Addrs) > 0 {
		t.Errorf("era %v of section %q with %d callsites, %v", table.Era, table.Section, len(table.Addrs), err)
	}
}
