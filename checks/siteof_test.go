package checks

import (
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/internal/images"
)

// The callsite of a function is found where eras with patchable entries have it:
// at the entry, behind a landing pad, or before the function.
func TestSiteOf(t *testing.T) {
	for _, name := range []string{"regs-good.elf", "regs-bti-good.elf", "callops-good.elf", "callops-bti-good.elf"} {
		im := images.Sample(t, name)
		table, err := callsite.Of(im)
		if err != nil {
			t.Fatal(err)
		}
		sites := &SiteTable{Table: table}
		found := 0
		for _, s := range table.Sites() {
			if !s.AtFunc {
				continue
			}
			found++
			if entry, ok := siteOf(im, sites, s.Func); !ok || entry != s.Entry {
				t.Errorf("%s: the callsite of %s is at %#x (%v), want %#x", name, im.Name(s.Func), entry, ok, s.Entry)
			}
			if entry, ok := siteOf(im, sites, s.Func+12); ok {
				t.Errorf("%s: %s is said to have a callsite, at %#x", name, im.Name(s.Func+12), entry)
			}
		}
		if found == 0 {
			t.Errorf("%s: no function has a callsite", name)
		}
	}
}
