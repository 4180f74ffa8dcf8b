package callsite_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/internal/samples"
)

// open opens an image that a test has made.
func open(t testing.TB, file samples.File) *elfscan.Image {
	t.Helper()
	im, err := elfscan.Open(file.Write(t, "vmlinux"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	return im
}

// tableOf is the table of an image that a test has made.
func tableOf(t testing.TB, file samples.File) *callsite.Table {
	t.Helper()
	table, err := callsite.Of(open(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// clearError fails the test unless err is one line of an *elfscan.Error that
// begins with the image's path and contains want.
func clearError(t testing.TB, err error, path, want string) {
	t.Helper()
	var e *elfscan.Error
	switch {
	case err == nil:
		t.Errorf("no error; want %q", want)
	case !errors.As(err, &e), e.What == "":
		t.Errorf("error %q is a %T", err, err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q; want %q", err, want)
	default:
		hostile.OneLine(t, err, path+": ")
	}
}

// eras says of each sample, by the beginning of its name, of which era it is;
// the longest beginning counts.
var eras = map[string]*arch.Era{
	"mcount": arch.Mcount, "label-missing-mcount": arch.Mcount, "site-malformed-mcount": arch.Mcount,
	"regs": arch.RegsEra, "args": arch.Args, "callops": arch.Callops,
	"dyntramp-live": arch.Dyntramp, "rfc-trampoline": arch.Dyntramp, "label-missing-tramp": arch.Dyntramp,
	"op-label": arch.Dyntramp, "metadata": arch.Dyntramp,
	"site-malformed-callops": arch.Callops, "site-not-at-entry-callops": arch.Callops, "site-misaligned": arch.Callops,
}

func TestEra(t *testing.T) {
	known := 0
	for _, name := range samples.All(t) {
		want, longest := arch.None, ""
		for prefix, era := range eras {
			if strings.HasPrefix(name, prefix) && len(prefix) > len(longest) {
				want, longest = era, prefix
			}
		}
		if longest == "" || strings.HasSuffix(name, "-stripped") {
			continue
		}
		known++
		// Some samples have a table that cannot be read, and an era.
		table, _ := callsite.Of(open(t, samples.Load(t, name)))
		if got := table.Era; got != want || table.Shape != want.Shape {
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
	for name, want := range map[string]*arch.Era{"regs-good": arch.RegsEra, "args-good": arch.Args, "callops-good": arch.Callops, "mcount-good": arch.Mcount} {
		s := samples.Load(t, name)
		s.Undefine(t, "__start_mcount_loc")
		s.Undefine(t, "__stop_mcount_loc")
		table, err := callsite.Of(open(t, s))
		if _, dynamic := table.Image.Addr("ftrace_make_call"); dynamic || err != nil {
			clearError(t, err, table.Image.Path, "callsite table: the image has ftrace_make_call")
		}
		if got := table.Era; got != want {
			t.Errorf("%s without its callsite table is of era %v, want %v", name, got, want)
		}
	}
	s := samples.Load(t, "args-good")
	s.Undefine(t, "ftrace_call")
	if table := tableOf(t, s); table.Era != arch.Args {
		t.Errorf("args-good without its slot is of era %v", table.Era)
	}
	s = samples.Load(t, "args-good")
	for _, name := range []string{"ftrace_caller", "ftrace_make_call", "__start_mcount_loc", "__stop_mcount_loc"} {
		s.Undefine(t, name)
	}
	if table := tableOf(t, s); table.Era != arch.None || table.Entries != nil || table.Addrs != nil {
		t.Errorf("an image without ftrace is of era %v, with callsites %+v", table.Era, table)
	}
}

// The same table is read from every form that a build stores it in.
func TestTableForms(t *testing.T) {
	for _, name := range []string{"regs-good", "regs-good-inplace", "regs-good-static", "callops-good", "callops-good-rela", "args-good-relr"} {
		t.Run(name, func(t *testing.T) {
			s := samples.Load(t, name)
			table := tableOf(t, s)
			im := table.Image
			entries, wantBlank := len(s.Table(t))/8, 0
			if strings.HasPrefix(name, "callops-good") {
				wantBlank = 3
			}
			if table.Blank != wantBlank || len(table.Entries.Values) != entries || len(table.Addrs) != entries-wantBlank {
				t.Errorf("%d entries, %d blank, %d callsites; want %d blank of %d", len(table.Entries.Values), table.Blank, len(table.Addrs), wantBlank, entries)
			}
			if !slices.IsSorted(table.Addrs) || slices.Contains(table.Addrs, 0) {
				t.Errorf("callsites %#x are not sorted, or blank", table.Addrs)
			}
			// Traced functions of the sample are there, and nothing but functions.
			fns := []string{"schedule_work_on", "do_nothing", "handle_irq", "start_kernel"}
			if name == "args-good-relr" {
				fns = []string{"vfs_read"}
			}
			for _, fn := range fns {
				at := s.Value(t, fn)
				if !slices.ContainsFunc(table.Addrs, func(a uint64) bool { return table.Site(a).Func == at }) {
					t.Errorf("%s (%#x) has no callsite among %#x", fn, at, table.Addrs)
				}
			}
			for _, a := range table.Addrs {
				if site := table.Site(a); !site.OK || !site.AtFunc || !im.FunctionAt(site.Func) || !im.IsText(site.Call) {
					t.Errorf("callsite %#x: %+v", a, site)
				}
				if !table.Contains(a) || table.Contains(a+1) {
					t.Errorf("Contains(%#x) is wrong", a)
				}
			}
		})
	}
}

// A table that lies is refused with what is wrong with it.
func TestTableRefused(t *testing.T) {
	const start, stop = samples.TableStart, samples.TableStop
	for _, test := range []struct {
		name string
		edit func(t *testing.T, s samples.File) samples.File
		want string
	}{
		{"no start", func(t *testing.T, s samples.File) samples.File { s.Undefine(t, start); return s },
			"callsite table: symbol __start_mcount_loc is missing (__stop_mcount_loc is 0xffff8000"},
		{"no stop", func(t *testing.T, s samples.File) samples.File { s.Undefine(t, stop); return s },
			"callsite table: symbol __stop_mcount_loc is missing (__start_mcount_loc is 0xffff8000"},
		{"neither", func(t *testing.T, s samples.File) samples.File { s.Undefine(t, start); s.Undefine(t, stop); return s },
			"callsite table: the image has ftrace_make_call, but neither __start_mcount_loc nor __stop_mcount_loc"},
		{"reversed", func(t *testing.T, s samples.File) samples.File {
			a, b := s.Value(t, start), s.Value(t, stop)
			s.SetValue(t, start, b)
			s.SetValue(t, stop, a)
			return s
		}, "callsite table: reversed: __start_mcount_loc is 0xffff8000"},
		{"odd size", func(t *testing.T, s samples.File) samples.File { s.SetValue(t, stop, s.Value(t, stop)-3); return s },
			"bytes, is not a multiple of 8 (0xffff8000"},
		{"zeros that nothing fills in", func(t *testing.T, s samples.File) samples.File { clear(s.Table(t)); return s },
			"callsite table: all 9 entries are zero, and no relocation fills them in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			im := open(t, test.edit(t, samples.Load(t, "regs-good-static")))
			var table *callsite.Table
			var err error
			hostile.Bounded(t, 1<<20, 0, 0, func() { table, err = callsite.Of(im) })
			clearError(t, err, im.Path, test.want)
			if table.Entries != nil || table.Addrs != nil || table.Blank != 0 {
				t.Errorf("and there are %d callsites", len(table.Addrs))
			}
			if again, err2 := callsite.Of(im); again != table || err2 != err {
				t.Errorf("again: %v", err2)
			}
			digest(table) // what else is asked has an answer
		})
	}
}

// Relocations whose addends are all 0 are there, and leave the table zero.
func TestZeroByRelocation(t *testing.T) {
	s := samples.Load(t, "callops-good-rela")
	_, rela := s.Section(t, ".rela.dyn")
	for at := 16; at < len(rela); at += 24 {
		le.PutUint64(rela[at:], 0)
	}
	im := open(t, s)
	_, err := callsite.Of(im)
	clearError(t, err, im.Path, " entries are zero, and the relocations at ")
}

// An empty table is a table without callsites.
func TestEmptyTable(t *testing.T) {
	s := samples.Load(t, "regs-good-static")
	s.SetValue(t, "__stop_mcount_loc", s.Value(t, "__start_mcount_loc"))
	if table := tableOf(t, s); table.Entries == nil || len(table.Entries.Values) != 0 || len(table.Addrs) != 0 {
		t.Errorf("%+v", table)
	}
}

// Relocations with an addend of 0 leave the table as it is: it is not that none is
// about it.
func TestTableOfZeroAddends(t *testing.T) {
	s := samples.Load(t, "regs-good")
	start, stop := s.Value(t, samples.TableStart), s.Value(t, samples.TableStop)
	_, relas := s.Section(t, ".rela.dyn")
	for ; len(relas) >= 24; relas = relas[24:] {
		if at := le.Uint64(relas); start <= at && at < stop {
			le.PutUint64(relas[16:], 0)
		}
	}
	_, err := callsite.Of(open(t, s))
	const want = "callsite table: all 9 entries are zero, and the relocations at 9 of them leave them so (their addends are 0)"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
