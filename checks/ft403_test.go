package checks_test

import (
	"strings"
	"testing"

	files "github.com/ftlint/ftlint/internal/samples"
	"github.com/ftlint/ftlint/lint"
)

// Entries of a module's table that point to no code are reported, however many there
// are, and the module is not said to be without ftrace.
func TestEntriesOfNoCodeInModule(t *testing.T) {
	for name, section := range map[string]string{"good-regs": "__patchable_function_entries", "../vmlinux-samples/x86/module-good": "__mcount_loc"} {
		for _, kept := range []int{0, 1} {
			file := files.LoadModule(t, name)
			_, rela := file.Section(t, ".rela"+section)
			const size, addend = 24, 16
			for at := 0; at < len(rela)-kept*size; at += size {
				copy(rela[at+addend:], []byte{0, 0, 0, 0, 0, 1, 0, 0})
			}
			res := lintWith(t, "", file.Write(t, "x.ko"), lint.Config{})
			n := 0
			for _, f := range res.Findings {
				if f.Rule.ID == "FT403" {
					n++
				}
			}
			if want := len(rela)/size - kept; n != want {
				t.Errorf("%s with %d good entries: %d findings of FT403, want %d", name, kept, n, want)
			}
			for _, r := range res.Rules {
				if r.Why != nil && strings.Contains(r.Why.Error(), "no ftrace") {
					t.Errorf("%s with %d good entries: %s: %v", name, kept, r.Rule.ID, r.Why)
				}
			}
		}
	}
}
