package patchscan

import (
	"go/token"
	"math"
	"testing"
)

// An input gets a file set of its own where the given one has no room for the
// input. On a 32-bit host that happens after 2 GiB of patches.
func TestPositionsWithoutRoom(t *testing.T) {
	in, err := Parse("a.c", "int a;\nint b;\n")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	fset.AddFile("the rest", 1, math.MaxInt-10)
	in.AddTo(fset)
	for i := range in.Source.Hunks[0].Lines {
		l := &in.Source.Hunks[0].Lines[i]
		if p := in.Place(in.Pos(l, 4)); p.Line != i+1 || p.Col != 5 || p.Text != l.Text {
			t.Errorf("line %d: %+v", i+1, p)
		}
	}
}
