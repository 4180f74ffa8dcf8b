// Package entry is about the entry code of ftrace, which a callsite calls. It finds
// the instructions of the entry code and executes every path through it.
package entry

import (
	"maps"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
)

// A Call is a branch out of the entry code.
type Call struct {
	At, Target uint64 // addresses of the branch and of its target
}

// Code are the instructions that can be reached from the entry points without an
// indirect branch.
type Code struct {
	Words map[uint64]uint32 // every instruction, by address
	Order []uint64          // the addresses of Words, ascending
	Calls []Call            // BLs, and branches to code that is not entry code
}

// MaxWords bounds the words of a Code. The largest entry code has about 150.
const MaxWords = 4096

// Walk follows direct branches from the entry points until every path has returned
// or left the entry code.
func Walk(im *elfscan.Image) *Code {
	var roots []uint64
	for _, name := range arch.ARM64.EntryPoints {
		if a, ok := im.Addr(name); ok {
			roots = append(roots, a)
		}
	}
	e := &Code{Words: map[uint64]uint32{}}
	// Entry code lies together: a target that is near bytes away is not in it.
	const near = 4096
	lo, hi := ^uint64(0), uint64(0)
	for _, r := range roots {
		lo, hi = min(lo, r), max(hi, r)
	}
	inside := func(a uint64) bool { return a+near >= lo && a < hi+near }
	todo := append([]uint64(nil), roots...)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for len(e.Words) < MaxWords {
			w, ok := im.Word(pc)
			if _, seen := e.Words[pc]; seen || !ok || !im.IsText(pc) {
				break
			}
			e.Words[pc] = w
			kind := a64.Classify(w)
			switch kind {
			case a64.Call, a64.Branch, a64.BCond, a64.CBZ, a64.TBZ:
				target, _ := a64.Target(w, pc)
				if kind == a64.Call || !inside(target) {
					e.Calls = append(e.Calls, Call{pc, target})
				} else {
					todo = append(todo, target)
				}
			}
			if kind.EndsFlow() {
				break
			}
			pc += a64.Size
		}
	}
	e.Order = slices.Sorted(maps.Keys(e.Words))
	return e
}
