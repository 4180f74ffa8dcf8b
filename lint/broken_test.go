package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
)

// What panics in a goroutine of the driver itself is a panic of who called it.
func TestBrokenDriver(t *testing.T) {
	const dir = "../testdata/module-samples/"
	d := newDriver(Config{Workers: 2})
	close(d.slots) // whoever takes one panics
	in := Inputs{Modules: []string{dir + "good-regs.ko", dir + "good-mcount.ko"}}
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "send on closed channel") {
			t.Errorf("the panic is %v", v)
		}
	}()
	total := &Total{Modules: len(in.Modules)}
	d.images(t.Context(), in, total, func(*finding.Result) {})
	t.Errorf("no panic: %+v", total)
}
