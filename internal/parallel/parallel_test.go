package parallel_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ftlint/ftlint/internal/parallel"
)

// panicOf is what f panics with, nil if it does not.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// Each task runs once, and no more than k at a time.
func TestDo(t *testing.T) {
	for _, test := range []struct{ n, k int }{{0, 1}, {1, 1}, {1, 4}, {100, 1}, {100, 3}, {3, 100}} {
		ran := make([]atomic.Int32, test.n)
		var now, most atomic.Int32
		parallel.Do(test.n, test.k, func(i int) {
			if at := now.Add(1); at > most.Load() {
				most.Store(at)
			}
			ran[i].Add(1)
			runtime.Gosched()
			now.Add(-1)
		})
		for i := range ran {
			if got := ran[i].Load(); got != 1 {
				t.Errorf("%d tasks in %d goroutines: task %d ran %d times", test.n, test.k, i, got)
			}
		}
		if most.Load() > int32(test.k) {
			t.Errorf("%d tasks in %d goroutines: %d at a time", test.n, test.k, most.Load())
		}
	}
}

// Of several panics the caller gets that of the lowest index, also if it comes
// last, and when all tasks have ended.
func TestPanic(t *testing.T) {
	for range 100 {
		var ended atomic.Int32
		late := make(chan struct{})
		got := panicOf(func() {
			parallel.Do(3, 3, func(i int) {
				defer ended.Add(1)
				switch i {
				case 0:
					<-late
				case 1:
					<-late
					panic("first")
				case 2:
					defer close(late)
					panic("second")
				}
			})
		})
		if got != "first" || ended.Load() != 3 {
			t.Fatalf("panic %v, %d tasks ended", got, ended.Load())
		}
	}
}

// After a panic no further task begins; those before the one that panicked all
// did.
func TestSkip(t *testing.T) {
	for _, k := range []int{1, 2, 8} {
		var mu sync.Mutex
		var ran []int
		got := panicOf(func() {
			parallel.Do(10000, k, func(i int) {
				mu.Lock()
				ran = append(ran, i)
				mu.Unlock()
				if i >= 100 {
					panic(fmt.Sprint("task ", i))
				}
			})
		})
		slices.Sort(ran)
		if got != "task 100" || len(ran) < 101 || len(ran) > 100+k || ran[100] != 100 {
			t.Errorf("in %d goroutines: panic %v, %d tasks ran", k, got, len(ran))
		}
	}
}
