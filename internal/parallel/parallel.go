// Package parallel runs tasks in several goroutines. A panic of a task becomes
// a panic of the caller, who can recover it.
package parallel

import (
	"runtime/debug"
	"sync"
)

// Do runs task(0) to task(n-1) in at most k goroutines and returns when all
// tasks that began have ended. Tasks begin in the order of their indexes. In
// their goroutines a fault on mapped memory (a file was cut while it was read)
// is a panic and not the end of the process.
//
// After a panic no further task begins. Do then panics with the value that the
// task of the lowest index panicked with: whatever panics the same way in each
// run gives the same value, however many goroutines there are.
func Do(n, k int, task func(i int)) {
	var (
		mu     sync.Mutex
		next   int
		first  = n // the lowest index of a task that panicked; n for none
		reason any
	)
	// begin is the index of the next task, or n if no task is to begin.
	begin := func() int {
		mu.Lock()
		defer mu.Unlock()
		if next == n || first < n {
			return n
		}
		next++
		return next - 1
	}
	run := func(i int) {
		defer func() {
			if v := recover(); v != nil {
				mu.Lock()
				defer mu.Unlock()
				if i < first {
					first, reason = i, v
				}
			}
		}()
		task(i)
	}
	var goroutines sync.WaitGroup
	for range min(n, k) {
		goroutines.Go(func() {
			debug.SetPanicOnFault(true) // of this goroutine alone
			for i := begin(); i < n; i = begin() {
				run(i)
			}
		})
	}
	goroutines.Wait()
	if first < n {
		panic(reason)
	}
}
