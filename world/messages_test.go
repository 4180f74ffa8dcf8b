package world

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/images"
)

// texts are strings in an image's data: each ends in a zero, and the first is
// empty.
func texts(t *testing.T, list ...string) (w *World, at func(text string) uint64) {
	t.Helper()
	data := []byte("\x00" + strings.Join(list, "\x00") + "\x00")
	s, addr := withData(t, sample(t, nil), func(uint64) []byte { return data })
	return New(open(t, s)), func(text string) uint64 {
		t.Helper()
		i := bytes.Index(data, []byte("\x00"+text+"\x00"))
		if i < 0 {
			t.Fatalf("no text %q", text)
		}
		return addr + uint64(i) + 1
	}
}

// A message is a string, what its %s print are strings, and what its %ps and
// %pS print is code.
func TestBadMessage(t *testing.T) {
	formats := []string{"plain\n", "\x013level\n", "%s\n", "%d %s\n", "%% %s\n", "%#lx %s\n", "%-16s\n", "%ps\n", "%pS\n", "%d %ps\n", "%p\n", "%px\n", "%zu %zu\n", "%"}
	w, at := texts(t, append(formats, "name")...)
	fn, name := addrOf(t, w, fnName), at("name")
	for _, c := range []struct {
		format string
		args   []uint64
		want   string
	}{
		{"plain\n", nil, ""},
		{"\x013level\n", nil, ""},
		{"%s\n", []uint64{name}, ""},
		{"%s\n", []uint64{fn}, "%s of 0x"},
		{"%s\n", []uint64{nowhere}, "%s of 0x"},
		{"%s\n", []uint64{name + 1}, "%s of 0x"}, // in the middle of one
		{"%d %s\n", []uint64{fn, name}, ""},
		{"%d %s\n", []uint64{name, fn}, "%s of 0x"},
		{"%% %s\n", []uint64{name, fn}, ""},
		{"%% %s\n", []uint64{fn, name}, "%s of 0x"},
		{"%#lx %s\n", []uint64{0, fn}, "%s of 0x"},
		{"%-16s\n", []uint64{fn}, "%s of 0x"},
		{"%ps\n", []uint64{fn}, ""},
		{"%ps\n", []uint64{fn + 4}, ""},
		{"%ps\n", []uint64{name}, "%ps of 0x"},
		{"%ps\n", []uint64{0}, "%ps of 0x"},
		{"%pS\n", []uint64{fn}, ""},
		{"%pS\n", []uint64{name}, "%ps of 0x"},
		{"%d %ps\n", []uint64{name, fn}, ""},
		{"%d %ps\n", []uint64{fn, name}, "%ps of 0x"},
		{"%p\n", []uint64{name}, ""},
		{"%px\n", []uint64{name}, ""},
		{"%zu %zu\n", []uint64{1}, ""}, // the rest is not in registers
		{"%", []uint64{1}, ""},
	} {
		got := w.BadMessage(at(c.format), c.args)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q, %#x: %q, want %q", c.format, c.args, got, c.want)
		}
	}
	for _, format := range []uint64{nowhere, fn, name + 1, at("plain\n") - 1} {
		if got := w.BadMessage(format, nil); !strings.Contains(got, "is not a string") {
			t.Errorf("format at %#x: %q", format, got)
		}
	}
}

// The state of a rate limit is data that can be written, and beside it is the
// name of a function.
func TestBadRateLimit(t *testing.T) {
	w, at := texts(t, "some data, and then", "ftrace_make_call")
	fn, state, name := addrOf(t, w, fnName), at("some data, and then"), at("ftrace_make_call")
	for _, c := range []struct {
		state, name uint64
		want        string
	}{
		{state, name, ""},
		{fn, name, "is not the address of its state"},
		{nowhere, name, "is not the address of its state"},
		{addrOf(t, w, "__start_rodata"), name, "is not the address of its state"},
		{state, fn, "is not the address of a function's name"},
		{state, name + 2, "is not the address of a function's name"},
	} {
		if got := w.BadRateLimit(c.state, c.name); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%#x, %#x: %q, want %q", c.state, c.name, got, c.want)
		}
	}
}

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
