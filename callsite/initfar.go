package callsite

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/world"
)

// An InitRun is ftrace_make_call(), executed on a callsite in the init text of a
// made-up module. The entry code and the PLT of the module's text are out of the
// callsite's reach.
type InitRun struct {
	Entry    string // the entry code: "ftrace_caller"
	ToEntry  int64  // the distance from the callsite to it, in bytes
	ToPLT    int64  // the same to the PLT entry in the module's text
	Returned int64
	Call     uint64 // address of the callsite's call
	Word     uint32 // what stands there then
	Diffs    []string
	Err      error // not nil: it could not be executed

	plt uint64 // the PLT entry in init text; 0: the kernel has none
}

// Arrives reports whether the callsite now calls its PLT entry in init text.
func (r *InitRun) Arrives() bool {
	target, ok := a64.Target(r.Word, r.Call)
	return ok && a64.Classify(r.Word) == a64.Call && r.Returned == 0 && r.plt != 0 && target == r.plt
}

// apart is the distance between init text and text, in bytes: BL does not reach so
// far.
const apart = 256 << 20

// InitFar executes ftrace_make_call() on callsites in init text that is far from
// everything. untried, a *world.Lack, says why that is not possible.
func (f *Executor) InitFar(types *Types) (runs []InitRun, untried error) {
	switch {
	case !f.table.Shape.SavesLR:
		return nil, &world.Lack{What: "callsites of this era are not executed in modules"}
	case !types.HasModule:
		return nil, &world.Lack{What: "no BTF describes struct module with a PLT for ftrace (--exhaustive reads DWARF, too)"}
	}
	inInit := types.Module.HasInitPLT
	if inInit {
		if view, err := f.loaderView(); err == nil {
			inInit = view.Knows[arch.ARM64.Modules.InitPLT]
		}
	}
	p := &placed{f, types.Module, new([]Run), f.fn.caller - farAway}
	for _, target := range []struct {
		name   string
		addr   uint64
		offset uint64 // of its PLT entry
	}{{"ftrace_caller", f.fn.caller, 0}, {"ftrace_regs_caller", f.fn.regsCaller, types.Module.PLTSize}} {
		if target.addr == 0 {
			continue
		}
		for _, distance := range []int64{-apart, apart} {
			p.at(p.call, func(r *Run, _ string) {
				run := InitRun{Entry: target.name, ToEntry: a64.Offset(r.Site.Call, target.addr), ToPLT: distance + int64(target.offset), Call: r.Site.Call}
				plt := r.Site.Call + uint64(distance)
				if inInit {
					plt = r.Site.Call + pltAway
					run.plt = plt + target.offset
				}
				p.intoInit(r, r.Site.Call+uint64(distance), plt)
				r.must(f.write(r.Site, p.blank(r)))
				f.now.at = r.Site.Call
				ret, diffs, err := f.call("ftrace_make_call", f.fn.makeCall, f.rec, target.addr)
				if run.Err = r.Err; err != nil {
					run.Err = &FuncError{"ftrace_make_call", fmt.Sprintf("init text %+d MiB from text", -distance>>20), err}
				}
				run.Returned, run.Diffs, run.Word = int64(int32(ret)), diffs, f.state(r.Site).Second
				runs = append(runs, run)
			})
		}
	}
	f.aim = nil
	f.reset()
	f.w.Events = f.w.Events[:0]
	return runs, nil
}

// intoInit puts the callsite of a run into init text. text is the address of the
// module's text, which begins with its PLT, and plt that of the PLT for init text.
func (p *placed) intoInit(r *Run, text, plt uint64) {
	l := p.members
	p.word(r, l.InitBase, r.Site.Call&^0xfff-4096)
	p.half(r, l.InitSize, 3*4096)
	p.half(r, l.InitWhole, 3*4096)
	p.word(r, l.TextBase, text)
	p.half(r, l.TextSize, 4096)
	p.word(r, l.PLT, text)
	if l.HasInitPLT {
		p.word(r, l.InitPLT, plt)
	}
}
