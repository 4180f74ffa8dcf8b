// Package entry is about the entry code of ftrace, which a callsite calls. It finds
// the instructions of the entry code and executes every path through it.
package entry

import (
	"maps"
	"slices"

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
	Insns map[uint64]arch.Insn // every instruction, by address
	Order []uint64             // the addresses of Insns, ascending
	Calls []Call               // calls, and branches to code that is not entry code
}

// MaxInsns bounds the instructions of a Code. The largest entry code has about 150.
const MaxInsns = 4096

// Walk follows direct branches from the entry points until every path has returned
// or left the entry code.
func Walk(im *elfscan.Image) *Code {
	var roots []uint64
	for _, name := range im.Arch().EntryPoints {
		if a, ok := im.Addr(name); ok {
			roots = append(roots, a)
		}
	}
	e := &Code{Insns: map[uint64]arch.Insn{}}
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
		for len(e.Insns) < MaxInsns {
			in, ok := im.Insn(pc)
			if _, seen := e.Insns[pc]; seen || !ok || !im.IsText(pc) {
				break
			}
			e.Insns[pc] = in
			switch in.Flow {
			case arch.Calls, arch.Jumps, arch.JumpsIf:
				if in.Flow == arch.Calls || !inside(in.Target) {
					e.Calls = append(e.Calls, Call{pc, in.Target})
				} else {
					todo = append(todo, in.Target)
				}
			}
			if in.Flow.Ends() {
				break
			}
			pc += in.Size
		}
	}
	e.Order = slices.Sorted(maps.Keys(e.Insns))
	return e
}
