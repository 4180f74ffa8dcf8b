package checks_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// namedAddr is an address with its name in a message: "vfs_read (0xffff...)".
var namedAddr = regexp.MustCompile(`([\w.$]+(?:\+0x[0-9a-f]+)?) \((0xffff[0-9a-f]{12})\)`)

// labels are names of addresses that have another name, too, because a finding is
// about a label there: a slot, or an end label that is out of order.
var labels = map[string]bool{"ftrace_call": true, "ftrace_common_end": true}

// A message and its notes give an address one name, in all findings about an image.
func TestOneName(t *testing.T) {
	pairs := 0
	for _, path := range elfs(t) {
		res := lint.File(t.Context(), filepath.Join(samples, path), lint.Config{})
		names := map[string]string{} // by address
		look := func(f *finding.Finding, text string) {
			for _, m := range namedAddr.FindAllStringSubmatch(text, -1) {
				pairs++
				if m[1] == "callsite" || labels[m[1]] { // "a callsite (0xffff...)"
					continue
				}
				if name := names[m[2]]; name != "" && name != m[1] {
					t.Errorf("%s: %s: %s is %s, and %s elsewhere", filepath.Base(path), f.Rule.ID, m[2], m[1], name)
				}
				names[m[2]] = m[1]
			}
		}
		for i := range res.Findings {
			f := &res.Findings[i]
			look(f, f.Text())
			for _, r := range f.Related {
				look(f, r.Message)
			}
		}
	}
	if pairs < 100 {
		t.Errorf("%d named addresses: the test looks at too little", pairs)
	}
}
