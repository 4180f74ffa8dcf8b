package callsite

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// sorters are the kernel's functions that sort an array; its start, its length
// and the size of an element are their first arguments.
var sorters = []string{"sort", "sort_nonatomic", "sort_r", "sort_r_nonatomic"}

// Sorts reports whether the kernel, when it reads the callsite table of itself
// or of a module, sorts the table: ftrace_process_locs() is executed up to its
// call of sort(). The error, if that cannot be told, is a *world.Lack where the
// image has nothing to execute.
func Sorts(kernel *elfscan.Image, ofModule bool) (bool, error) {
	type key struct{ ofModule bool }
	type result struct {
		sorts bool
		err   error
	}
	r := kernel.Derived(key{ofModule}, func() any {
		sorts, err := executeSorting(kernel, ofModule)
		return result{sorts, err}
	}).(result)
	return r.sorts, r.err
}

func executeSorting(kernel *elfscan.Image, ofModule bool) (bool, error) {
	fn, ok := processLocs(kernel)
	if !ok {
		return false, &world.Lack{What: "the image has no ftrace_process_locs, which reads the table"}
	}
	start, ok1 := kernel.Addr("__start_mcount_loc")
	stop, ok2 := kernel.Addr("__stop_mcount_loc")
	if !ok1 || !ok2 || stop <= start {
		return false, &world.Lack{What: "the kernel has no callsite table"}
	}
	w := world.New(kernel)
	var errSorts, first = errors.New("it sorts"), uint64(0) // first: the call of what has no stand-in
	stays := slices.Concat(sorters, world.Printers, []string{"mutex_lock"})
	for _, c := range CallsOf(kernel, fn) {
		if !slices.Contains(stays, kernel.Name(c.Target)) {
			w.M.Hook(c.Target, func(m *emu.Machine) error { // no memory, no success
				if first == 0 {
					first = m.X[30] - a64.Size
				}
				w.SetResult(0)
				w.Clobber()
				return nil
			})
		}
	}
	w.Hook(func(name string) error {
		if w.Arg(0) == start && w.Arg(1) == (stop-start)/8 && w.Arg(2) == 8 {
			return errSorts
		}
		return fmt.Errorf("it calls %s for %d elements of %d bytes at %#x", name, w.Arg(1), w.Arg(2), w.Arg(0))
	}, sorters...)
	stores := uint64(0)
	w.M.OnWrite = func(pc, _ uint64, _ int, _ uint64) { stores = pc }
	if err := w.M.Watch(start, stop-start); err != nil {
		return false, err
	}
	mod := uint64(0)
	if ofModule {
		mod = w.Object(OpsSize)
	}
	_, err := w.Call(fn.Addr, mod, start, stop)
	switch {
	case errors.Is(err, errSorts):
		return true, nil
	case stores != 0:
		return false, fmt.Errorf("%s writes to the table itself at %s", fn.Name, kernel.At(stores))
	case err != nil && first == 0:
		return false, fmt.Errorf("%s could not be executed up to where it sorts: %w", fn.Name, err)
	}
	// It did not sort up to the first call that failed, or returned. What it does
	// where that call succeeds was not executed.
	return false, sortsBehind(kernel, fn, first)
}

// processLocs is ftrace_process_locs(), or what the compiler made of it.
func processLocs(kernel *elfscan.Image) (fn elfscan.Symbol, ok bool) {
	const name = "ftrace_process_locs"
	if fn, ok = kernel.Lookup(name); !ok {
		kernel.EachSymbol(func(_ uint64, n []byte, typ elf.SymType) bool {
			if typ == elf.STT_FUNC && strings.HasPrefix(string(n), name+".") && !strings.HasSuffix(string(n), ".cold") {
				fn, ok = kernel.Lookup(string(n))
			}
			return !ok
		})
	}
	return fn, ok && fn.Size > 0 && kernel.IsText(fn.Addr)
}

// A BranchOut is a branch out of a function.
type BranchOut struct{ At, Target uint64 }

// CallsOf are the direct calls in the body of fn, by address.
func CallsOf(im *elfscan.Image, fn elfscan.Symbol) (out []BranchOut) {
	for pc := fn.Addr; pc < fn.End(); pc += a64.Size {
		word, ok := im.Word(pc)
		if !ok {
			break
		}
		kind := a64.Classify(word)
		target, _ := a64.Target(word, pc)
		if kind == a64.Call || kind == a64.Branch && (target < fn.Addr || target >= fn.End()) {
			out = append(out, BranchOut{pc, target})
		}
	}
	return out
}

// sortsBehind is an error if the function could sort behind pc: if it, or a
// function that it calls, calls one that sorts. pc is 0 for none.
func sortsBehind(im *elfscan.Image, fn elfscan.Symbol, pc uint64) error {
	if pc == 0 {
		return nil
	}
	sorts := func(target uint64) bool { return slices.Contains(sorters, im.Name(target)) }
	todo, seen := []uint64{pc + a64.Size}, map[uint64]bool{}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for at >= fn.Addr && at < fn.End() && !seen[at] {
			seen[at] = true
			word, _ := im.Word(at)
			target, direct := a64.Target(word, at)
			kind := a64.Classify(word)
			switch {
			case kind == a64.BR:
				return fmt.Errorf("%s goes on by a branch through a register at %s", fn.Name, im.At(at))
			case direct && (kind == a64.Call || kind == a64.Branch) && (target < fn.Addr || target >= fn.End()):
				callee, _ := im.SymbolAt(target)
				if sorts(target) || slices.ContainsFunc(CallsOf(im, callee), func(c BranchOut) bool { return sorts(c.Target) }) {
					return fmt.Errorf("%s could sort by its call of %s at %s, which was not executed", fn.Name, im.Name(target), im.At(at))
				}
			case kind == a64.Branch || kind == a64.BCond || kind == a64.CBZ || kind == a64.TBZ:
				todo = append(todo, target)
			}
			if kind.EndsFlow() {
				break
			}
			at += a64.Size
		}
	}
	return nil
}
