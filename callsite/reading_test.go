package callsite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

func readTable(t *testing.T, im *elfscan.Image) *callsite.Table {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Kernels make each callsite known to ftrace and pass over blank entries; they
// sort the tables that the build has not sorted.
func TestRead(t *testing.T) {
	for _, suite := range slices.Concat(images.Kernels, []string{"bookworm-amd64", "trixie-amd64"}) {
		t.Run(suite, func(t *testing.T) {
			table := readTable(t, images.Kernel(t, suite))
			own, module := table.Read(false), table.Read(true)
			for _, r := range []*callsite.Reading{own, module} {
				if r.Err != nil || len(r.Diffs) > 0 || r.Entries < 6 {
					t.Errorf("%+v", r)
				}
			}
			// The kernels whose tables have blank entries are those that sort at build time;
			// x86-64's 6.1 sorts, and makes none blank.
			if own.Sorts != (table.Blank == 0 && suite != "bookworm-amd64") || !module.Sorts {
				t.Errorf("%d blank entries; it sorts its own table: %v, those of modules: %v", table.Blank, own.Sorts, module.Sorts)
			}
			// With a relocation KASLR moves a blank entry, which is then not zero.
			moved := 0
			if table.Entries.FromRela+table.Entries.FromRelr > 0 {
				moved = 2
			}
			if want := map[bool]int{false: 0, true: 1 + moved}[table.Blank > 0]; len(own.Blank) != want {
				t.Errorf("%d blank entries, %d in the small table, %d were expected", table.Blank, len(own.Blank), want)
			}
		})
	}
}

// What a kernel does with its table that it must not is noticed.
func TestReadWrong(t *testing.T) {
	nop := func(t *testing.T, im *elfscan.Image, is func(text string) bool) {
		t.Helper()
		fn, _ := im.Lookup("ftrace_process_locs")
		for a := fn.Addr; a < fn.End(); a += a64.Size {
			if w, _ := im.Word(a); is(a64.Text(w, a, im.Name)) {
				if err := im.SetWord(a, a64.NOP); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		t.Fatal("no such instruction")
	}
	for _, c := range []struct {
		what, sample string
		without      func(text string) bool
		want         string // in the differences
	}{
		{"a callsite is not made known", "sites-sorted-at-boot.elf", func(s string) bool { return s == "bl ftrace_init_nop" }, "it makes no callsite at vfs_write+0x4"},
		{"it is made known elsewhere", "sites-sorted-at-boot.elf", func(s string) bool { return s == "add x0, x0, #0x4" }, "it makes a callsite at vfs_write"},
		{"zero is not passed over", "blank-stays.elf", func(s string) bool { return strings.HasPrefix(s, "cbz x0, ftrace_process_locs+0x50") }, "look at a blank entry, 0x0"},
		{"it does not end", "sites-sorted-at-boot.elf", func(s string) bool { return s == "ldr x0, [x19], #8" }, "it does not return: step limit reached"},
	} {
		t.Run(c.what, func(t *testing.T) {
			im := images.Sample(t, c.sample)
			nop(t, im, c.without)
			if r := readTable(t, im).Read(false); !strings.Contains(strings.Join(r.Diffs, "; "), c.want) {
				t.Errorf("%+v, want %q", r, c.want)
			}
		})
	}
}

// What an image lacks, or a call of what is not known, is no difference.
func TestReadUnknown(t *testing.T) {
	for name, want := range map[string]string{
		"regs-good.elf":          "the image has no ftrace_process_locs",
		"sites-sorted-later.elf": "calls fix_table, whose effect is not known",
	} {
		r := readTable(t, images.Sample(t, name)).Read(false)
		if r.Err == nil || !strings.Contains(r.Err.Error(), want) || r.Diffs != nil {
			t.Errorf("%s: %+v, want %q", name, r, want)
		}
	}
}
