package report

import (
	"strings"
	"testing"
)

// A line with columns that is too wide is wrapped in its last column.
func TestHang(t *testing.T) {
	const line = "  kprobes     no   the kernel has none of what they need, which is a lot"
	for _, c := range []struct {
		width int
		line  string
		want  []string
	}{
		{0, line, []string{line}},
		{80, line, []string{line}},
		{50, line, []string{"  kprobes     no   the kernel has none of what", "                   they need, which is a lot"}},
		{40, line, []string{"  kprobes     no", "      the kernel has none of what they", "      need, which is a lot"}},
		{40, "    needs another compiler, or more of this one", []string{"    needs another compiler, or more of", "    this one"}},
	} {
		var b strings.Builder
		Terminal{Writer: &b, Width: c.width}.hang(c.line)
		if got, want := b.String(), strings.Join(c.want, "\n")+"\n"; got != want {
			t.Errorf("width %d:\n%swant\n%s", c.width, got, want)
		}
	}
}
