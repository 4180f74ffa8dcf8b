package callsite

import (
	"testing"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

// trixie opens the kernel of trixie, with its symbols indexed.
func trixie(b *testing.B) *elfscan.Image {
	b.Helper()
	im := images.Kernel(b, "trixie")
	im.Index()
	return im
}

// BenchmarkOf reads the table and tells the era.
func BenchmarkOf(b *testing.B) {
	im := trixie(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readTable(im); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSites(b *testing.B) {
	t, err := Of(trixie(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		t.Sites()
	}
}
