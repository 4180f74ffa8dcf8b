package callsite_test

import (
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/internal/samples"
)

// A callsite is of its shape as built, and as the kernel leaves it at run time;
// any other words are not.
func TestSiteWords(t *testing.T) {
	const (
		nop   = a64.NOP
		bti   = a64.BTIc
		saved = 0xaa1e03e9 // mov x9, x30
		call  = 0x94000010 // bl .+64
		other = 0xd2800013 // mov x19, #0
	)
	for _, test := range []struct {
		sample string
		words  []uint32 // from the entry on
		want   callsite.Site
	}{
		{"regs-good-inplace", []uint32{nop, nop}, callsite.Site{Call: 4, Saved: -1, OK: true}},
		{"regs-good-inplace", []uint32{saved, nop}, callsite.Site{Call: 4, Saved: 9, OK: true}},
		{"regs-good-inplace", []uint32{saved, call}, callsite.Site{Call: 4, Saved: 9, OK: true}},
		{"regs-good-inplace", []uint32{nop, call}, callsite.Site{Call: 4, Saved: -1}},
		{"regs-good-inplace", []uint32{saved, other}, callsite.Site{Call: 4, Saved: 9}},
		{"regs-good-inplace", []uint32{other, nop}, callsite.Site{Call: 4, Saved: -1}},
		{"callops-good", []uint32{nop, nop, nop, nop}, callsite.Site{Func: 8, Call: 12, Saved: -1, OK: true}},
		{"callops-good", []uint32{other, other, saved, call}, callsite.Site{Func: 8, Call: 12, Saved: 9, OK: true}},
		{"callops-good", []uint32{other, nop, nop, nop}, callsite.Site{Func: 8, Call: 12, Saved: -1}},
		{"callops-good", []uint32{nop, other, nop, nop}, callsite.Site{Func: 8, Call: 12, Saved: -1}},
		{"callops-good", []uint32{nop, nop, bti, nop, nop}, callsite.Site{Func: 8, Call: 16, Saved: -1, BTI: true, OK: true}},
		{"callops-good", []uint32{other, nop, bti, saved, nop}, callsite.Site{Func: 8, Call: 16, Saved: 9, BTI: true, OK: true}},
	} {
		table := tableOf(t, samples.Load(t, test.sample))
		entry := table.Addrs[0]
		for i, w := range test.words {
			if err := table.Image.SetWord(entry+uint64(i)*a64.Size, w); err != nil {
				t.Fatal(err)
			}
		}
		want := test.want
		want.Entry, want.Func, want.Call, want.Text, want.AtFunc = entry, entry+want.Func, entry+want.Call, true, true
		if got := table.Site(entry); got != want {
			t.Errorf("%s: %08x is %+v, want %+v", test.sample, test.words, got, want)
		}
	}
}

// Four NOPs are a callsite of the shape that has the function where its symbol
// stands.
func TestGuessOfFourNOPs(t *testing.T) {
	for _, test := range []struct {
		at, before bool // symbols stand at the entry, and behind the first two NOPs
		want       *arch.Shape
	}{
		{true, false, arch.NOPs},
		{false, true, arch.OpsAndNOPs},
		{true, true, arch.OpsAndNOPs},
	} {
		s := samples.Load(t, "callops-good")
		entry := s.Value(t, "do_nothing") - 8
		if test.at {
			s.SetValue(t, "schedule_work_on", entry)
		}
		if !test.before {
			s.Undefine(t, "do_nothing")
		}
		if got := tableOf(t, s).Guess(entry); got != test.want {
			t.Errorf("%+v: guessed %v", test, got)
		}
	}
}

// FuncAt knows the words of a callsite, from its entry to its call. A BL behind
// the prologue is not part of the function's entry.
func TestFuncAt(t *testing.T) {
	for _, name := range []string{"regs-good", "regs-bti-good", "callops-good", "callops-bti-good", "mcount-good"} {
		table := tableOf(t, samples.Load(t, name))
		for _, s := range table.Sites() {
			for addr := s.Entry; addr <= s.Call; addr += a64.Size {
				fn, ok := callsite.FuncAt(table.Image, addr)
				if want := name != "mcount-good"; ok != want || ok && fn != s.Func {
					t.Errorf("%s: %#x is of a function at %#x (%v), the callsite is %+v", name, addr, fn, ok, s)
				}
			}
			if fn, ok := callsite.FuncAt(table.Image, s.Call+a64.Size); ok {
				t.Errorf("%s: %#x, behind the callsite, is of a function at %#x", name, s.Call+a64.Size, fn)
			}
		}
	}
}
