// Package hostile has assertions for fuzz targets: memory in proportion to the
// input, and errors of one line that name the input.
package hostile

import (
	"runtime/metrics"
	"strings"
	"testing"
	"unicode/utf8"
)

// Bounded fails the test if f allocates, all in all, more than base bytes and
// each bytes for each of n bytes of input. Memory that f frees counts, too, so that
// a bomb is noticed even if the collector keeps up with it.
func Bounded(t testing.TB, base, each uint64, n int, f func()) {
	t.Helper()
	before := allocated()
	f()
	if taken := allocated() - before; taken > base+each*uint64(n) {
		t.Errorf("%d bytes of input take %d bytes of memory, the bound is %d", n, taken, base+each*uint64(n))
	}
}

// allocated is how many bytes were allocated so far. Small objects are counted
// late, which makes no difference to bounds that are of megabytes; unlike
// runtime.ReadMemStats it does not stop the world.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// OneLine fails the test unless err begins with prefix and is one line of text
// that says more, no longer than some lines of a terminal.
func OneLine(t testing.TB, err error, prefix string) {
	t.Helper()
	text := err.Error()
	switch rest, ok := strings.CutPrefix(text, prefix); {
	case !ok, strings.TrimSpace(rest) == "":
		t.Errorf("the error does not begin with %q and say more: %q", prefix, text)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 }):
		t.Errorf("the error has control characters: %q", text)
	case !utf8.ValidString(text):
		t.Errorf("the error is no UTF-8: %q", text)
	case len(rest) > 1000:
		t.Errorf("the error has %d bytes: %.100q...", len(rest), text)
	}
}
