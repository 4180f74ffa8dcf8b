package elfscan

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/samples"
)

var le = binary.LittleEndian

// openBytes is Open for an image in memory, called "vmlinux".
func openBytes(data []byte) (*Image, error) {
	im := &Image{Path: "vmlinux", data: data}
	if err := im.readHeaders(); err != nil {
		return nil, err
	}
	im.debug = im
	if err := im.findSymbols(); err != nil {
		return nil, err
	}
	return im, nil
}

func mustOpen(t testing.TB, data []byte) *Image {
	t.Helper()
	im, err := openBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// callsites reads the table between the boundary symbols of the callsite table,
// which stands for any table of addresses; nil if the image lacks one of them.
func callsites(im *Image) (*Addresses, error) {
	start, ok1 := im.Addr(samples.TableStart)
	stop, ok2 := im.Addr(samples.TableStop)
	if !ok1 || !ok2 {
		return nil, nil
	}
	return im.Addresses("table", start, stop)
}

// digest asks the image everything that checks ask, and is the answers.
func digest(im *Image) string {
	var b strings.Builder
	say := func(v ...any) { fmt.Fprintln(&b, v...) }
	table, err := callsites(im)
	say(im.BuildID(), im.PageSize(), im.Size(), im.NumSymbols(), err)
	var addrs []uint64
	if table != nil {
		say(table.Start, table.End, len(table.Values), table.FromRela, table.FromRelr, table.Form())
		addrs = append(addrs, table.Values[:min(len(table.Values), 100)]...)
	}
	n := 0
	im.EachSymbol(func(addr uint64, name []byte, typ elf.SymType) bool {
		s, ok := im.Lookup(string(name))
		say(s, ok)
		addrs = append(addrs, addr, s.End())
		n++
		return n < 200
	})
	for i, r := range im.Sections() {
		if i == 50 {
			break
		}
		addrs = append(addrs, r.Addr, r.End(), r.End()-1)
	}
	addrs = append(addrs, 0, ^uint64(0), ^uint64(7))
	for _, a := range addrs {
		w, ok := im.Word(a)
		v, ok2 := im.Uint64(a)
		var buf [20]byte
		found := im.ReadAt(a-4, buf[:])
		say(im.At(a), w, ok, v, ok2, im.FunctionAt(a), im.IsText(a), found, buf)
	}
	lines := func() {
		for _, a := range addrs[:min(len(addrs), 60)] {
			l, ok := im.Line(a)
			if ok && (l.Line < 1 || l.File == "") {
				panic(fmt.Sprintf("the line of %#x is %v", a, l))
			}
			say(l, ok)
		}
	}
	lines()
	im.SetPads(func(_ *Image, addr uint64) (Pad, bool) { return Pad{addr - 4, addr + 8, addr + 4}, addr%8 == 0 })
	lines()
	say(im.LineProblem())
	return b.String()
}

// allocated is how many bytes f allocates in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// clearError fails the test unless err is one line of an *Error that begins
// with the path and contains want.
func clearError(t *testing.T, err error, path, want string) {
	t.Helper()
	var e *Error
	switch {
	case err == nil:
		t.Errorf("no error; want %q", want)
	case !errors.As(err, &e):
		t.Errorf("error %q is a %T", err, err)
	case !strings.HasPrefix(err.Error(), path+": "), strings.ContainsAny(err.Error(), "\n\r"), e.What == "":
		t.Errorf("error %q is not one line that begins with the path", err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q; want %q", err, want)
	}
}
