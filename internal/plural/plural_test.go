package plural_test

import (
	"math"
	"testing"

	"github.com/ftlint/ftlint/internal/plural"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		n          int
		what, want string
	}{
		{0, "callsite", "0 callsites"},
		{1, "callsite", "1 callsite"},
		{2, "entry", "2 entries"},
		{1, "entry", "1 entry"},
		{3, "way", "3 ways"},
		{2, "patch", "2 patches"},
		{999, "byte", "999 bytes"},
		{1000, "byte", "1,000 bytes"},
		{44011, "callsite", "44,011 callsites"},
		{1234567, "instruction", "1,234,567 instructions"},
		{-1, "byte", "-1 bytes"},
	} {
		if got := plural.Of(c.n, c.what); got != c.want {
			t.Errorf("Of(%d, %q) = %q, want %q", c.n, c.what, got, c.want)
		}
	}
	if got, want := plural.Number(int64(math.MinInt64)), "-9,223,372,036,854,775,808"; got != want {
		t.Errorf("Number: %s, want %s", got, want)
	}
	if got, want := plural.Number(uint64(math.MaxUint64)), "18,446,744,073,709,551,615"; got != want {
		t.Errorf("Number: %s, want %s", got, want)
	}
}
