package elfscan

import (
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/internal/samples"
)

// benchImage opens the kernel of trixie or, without it, a sample.
func benchImage(b *testing.B) *Image {
	b.Helper()
	path := samples.Kernels(b)["trixie"]
	if path == "" {
		path = filepath.Join(samples.Dir, "callops-good.elf")
	}
	im, err := Open(path, "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(im.Close)
	return im
}

func BenchmarkOpen(b *testing.B) {
	path := benchImage(b).Path
	b.ReportAllocs()
	for b.Loop() {
		im, err := Open(path, "")
		if err != nil {
			b.Fatal(err)
		}
		im.Close()
	}
}

func BenchmarkIndexNames(b *testing.B) {
	im := benchImage(b)
	b.ReportAllocs()
	for b.Loop() {
		im.indexNames()
	}
}

func BenchmarkIndexAddrs(b *testing.B) {
	im := benchImage(b)
	b.ReportAllocs()
	for b.Loop() {
		im.indexAddrs()
	}
}

func BenchmarkAddresses(b *testing.B) {
	im := benchImage(b)
	if _, ok := im.Addr("__start_mcount_loc"); !ok {
		b.Fatal("no callsite table")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := callsites(im); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSymbolAt(b *testing.B) {
	im := benchImage(b)
	table, err := callsites(im)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		im.SymbolAt(table.Values[i%len(table.Values)])
	}
}

func BenchmarkLine(b *testing.B) {
	im := benchImage(b)
	at, _ := im.Addr("ftrace_caller")
	b.ReportAllocs()
	for b.Loop() {
		im.lines = im.findLineTables // nothing is remembered
		im.Line(at)
	}
}
