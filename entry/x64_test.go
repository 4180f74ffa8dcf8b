package entry_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/images"
)

// pathsX64 executes the entry code from the first callsite at a function.
func pathsX64(t *testing.T, im *elfscan.Image) []entry.Run {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range table.Addrs {
		if s := table.Site(a); s.OK && s.AtFunc && s.Text {
			return entry.Paths(table, a, false, &callsite.Types{})
		}
	}
	t.Fatal("no callsite is at a function")
	return nil
}

// Entry code that lacks the instructions that save a value, or move it to where it is
// taken from, is noticed on the path that they are for, by the name of the value.
func TestX64Lost(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	for _, c := range []struct {
		what, label string
		code        string // the instructions, the first such ones behind the label
		path, want  string
	}{
		{"the flags of a direct call", "ftrace_regs_caller_end",
			"\x48\x8b\xbc\x24\xa8\x00\x00\x00\x48\x89\xbc\x24\xa0\x00\x00\x00", // mov 0xa8(%rsp),%rdi; mov %rdi,0xa0(%rsp)
			"ftrace_regs_caller, direct call set by the callback", "flags come back as"},
		{"RSP in regs", "return_to_handler", "\x48\x89\xbc\x24\x98\x00\x00\x00", // mov %rdi,0x98(%rsp)
			"return_to_handler", "rsp in regs (+0x98) is"},
		{"RSP", "return_to_handler", "\x48\x89\xe7", // mov %rsp,%rdi
			"return_to_handler", "rsp in regs (+0x98) is"},
		{"RAX in regs", "return_to_handler", "\x48\x89\x44\x24\x50", // mov %rax,0x50(%rsp)
			"return_to_handler", "rax in regs (+0x50) is"},
	} {
		t.Run(c.what, func(t *testing.T) {
			label, ok := im.Addr(c.label)
			i := bytes.Index(im.Code(label, 128), []byte(c.code))
			if !ok || i < 0 {
				t.Fatalf("no such instructions behind %s", c.label)
			}
			at := label + uint64(i)
			images.Poke(t, im, at, bytes.Repeat([]byte{0x90}, len(c.code)))
			defer images.Poke(t, im, at, []byte(c.code))
			noticed := false
			for _, p := range pathsX64(t, im) {
				switch all := strings.Join(p.Diffs, "\n"); {
				case p.Name == c.path && strings.Contains(all, c.want):
					noticed = true
				case p.Err != nil || len(p.Diffs) > 0:
					t.Errorf("%s: %v %q", p.Name, p.Err, p.Diffs)
				}
			}
			if !noticed {
				t.Errorf("%s: no %q", c.path, c.want)
			}
		})
	}
}
