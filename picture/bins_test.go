package picture

import "testing"

// The bins reach from the smallest distance to the largest and no further, are
// at most forty, and their width is a power of two of which each bin begins at a
// multiple.
func TestBinned(t *testing.T) {
	for _, c := range []struct {
		lo, hi, width int64
		bins          int
	}{
		{0, 0, 1 << 10, 1},
		{0, 1<<10 - 1, 1 << 10, 1},
		{0, 1 << 10, 1 << 10, 2},
		{-1, 0, 1 << 10, 2},
		{-1 << 10, -1, 1 << 10, 1},
		{0, 40<<10 - 1, 1 << 10, 40},
		{0, 40 << 10, 2 << 10, 21},
		{-20 << 10, 20<<10 - 1, 1 << 10, 40},
		{-128 << 20, 128<<20 - 1, 8 << 20, 32},
		{-130 << 20, 130 << 20, 8 << 20, 34},
	} {
		middle := (c.lo + c.hi) / 2
		bins := binned([]int64{c.lo, middle, c.hi, c.hi}, c.lo, c.hi)
		if len(bins) != c.bins || bins[0].Lo > c.lo || bins[0].Hi <= c.lo || bins[len(bins)-1].Lo > c.hi || bins[len(bins)-1].Hi <= c.hi {
			t.Errorf("%d..%d: %d bins, from %+v to %+v", c.lo, c.hi, len(bins), bins[0], bins[len(bins)-1])
		}
		for i, b := range bins {
			n := 0
			for _, d := range []int64{c.lo, middle, c.hi, c.hi} {
				if b.Lo <= d && d < b.Hi {
					n++
				}
			}
			if b.N != n || b.Hi-b.Lo != c.width || b.Lo%c.width != 0 || i > 0 && b.Lo != bins[i-1].Hi {
				t.Errorf("%d..%d: bin %d is %+v, of %d distances", c.lo, c.hi, i, b, n)
			}
		}
	}
}
