package world

import (
	"testing"

	"github.com/ftlint/ftlint/internal/images"
)

// A string begins at a symbol, whatever stands before it, as __func__ does;
// elsewhere behind what is no text, or behind nothing. None begins within another.
func TestMessageBegins(t *testing.T) {
	w := New(images.Sample(t, "builders/sites-regs-good.elf"))
	banner, ok1 := w.Image.Addr("linux_banner") // nothing is before it
	object, ok2 := w.Image.Addr("ftrace_nop_ops")
	if !ok1 || !ok2 {
		t.Fatal("the sample has no linux_banner or no ftrace_nop_ops")
	}
	for _, c := range []struct {
		at     uint64
		before string
		bad    bool
	}{
		{banner, "", false},
		{object, "\x00", false},
		{object, "\xff", false},
		{object, "x", false},
		{object + 2, "\x00", false},
		{object + 2, "\x80", false},
		{object + 2, "x", true},
		{object + 3, "\x014", true},
		{object + 2, "\x01", true},
	} {
		w.Reset()
		if err := w.M.Write(c.at-uint64(len(c.before)), []byte(c.before+"name\x00")); err != nil {
			t.Fatal(err)
		}
		if bad := w.BadMessage(c.at, nil); (bad != "") != c.bad {
			t.Errorf("%s behind %q: %q", w.Image.Name(c.at), c.before, bad)
		}
	}
}
