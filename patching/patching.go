// Package patching executes the interface by which a kernel patches its text,
// and the makers of the instructions that are written.
//
// The functions that read and write text are executed up to where the kernel's
// management of memory begins: __set_fixmap(), which maps a page at a fixmap
// slot, and vmalloc_to_page(), which finds the page of memory that is not the
// image's. Both have stand-ins, as have the locks, and the copies that survive
// a fault. Everything else is the image's own code.
package patching

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A Run is one function of the interface, executed on one place.
type Run struct {
	Func  string
	Fn    uint64   // its address
	Case  string   // the place, and what happens: "on the last word of a page, where the copy fails"
	Diffs []string // what the function does and must not
	Err   error    // not nil: it could not be executed to the end

	proof string // what Err shows, if nothing is amiss with the memory around the image
	kind  bool   // as place.module
}

// Runs are the results of executing the interface.
type Runs struct {
	None     error    // why nothing could be executed: a *world.Lack, or nil
	All      []Run    // that went wrong
	Executed int      // number of calls
	Places   int      // number of places that were patched
	Skipped  []string // what could not be executed, and why
}

// Execute executes the interface of the image. guarded reports whether the kernel
// is built with BTI: an indirect branch must then land on a pad.
func Execute(im *elfscan.Image, guarded bool) *Runs {
	p := newPatcher(im, guarded)
	runs := &Runs{}
	switch {
	case len(p.fns) == 0:
		runs.None = &world.Lack{What: "the image has no aarch64_insn_patch_text_nosync, aarch64_insn_write or aarch64_insn_read"}
		return runs
	case p.setFixmap == 0:
		runs.None = &world.Lack{What: "the image has no __set_fixmap, through which text is patched"}
		return runs
	}
	p.runs, runs.Skipped = runs, p.skipped
	places := p.places()
	runs.Places = len(places)
	for _, fn := range p.fns {
		before := len(runs.All)
		for i, at := range places {
			if len(runs.All)-before >= maxBad {
				break
			}
			p.patchTwice(fn, at)
			if i == 0 {
				p.corners(fn, at)
			}
		}
	}
	// Where another function could write, the memory that is needed is there: what
	// does not come to its end there is wrong.
	for i := range runs.All {
		if r := &runs.All[i]; r.proof != "" && p.written[r.kind] {
			r.Diffs, r.Err = append(r.Diffs, r.proof), nil
		}
	}
	return runs
}

// maxBad is how many calls of a function may go wrong until it is executed no
// further.
const maxBad = 3

// A function is one function of the interface.
type function struct {
	name string
	addr uint64
	kind kind
}

// A kind says what a function of the interface does.
type kind uint8

const (
	reads   kind = iota // (from, to): a word
	writes              // (to, word)
	patches             // the same, with maintenance of the instruction cache; refuses a misaligned address
	literal             // (to, value): 64 bits
)

// size is the number of bytes that a function reads or writes.
func (k kind) size() uint64 {
	if k == literal {
		return 8
	}
	return a64.Size
}

// functionsOf are the functions of the interface that the image has.
func functionsOf(im *elfscan.Image) (fns []function) {
	add := func(k kind, names ...string) {
		for _, name := range names {
			if a, ok := im.Addr(name); ok && im.IsText(a) {
				fns = append(fns, function{name, a, k})
			}
		}
	}
	names := arch.ARM64.Patching
	add(reads, names.Read...)
	for _, name := range names.Write {
		k := writes
		if name == names.Synced {
			k = patches
		}
		add(k, name)
	}
	add(literal, names.WriteLiteral...)
	// What others call comes first.
	slices.SortStableFunc(fns, func(a, b function) int { return int(a.kind) - int(b.kind) })
	return fns
}

// A place is memory that is patched.
type place struct {
	addr   uint64
	what   string // "on the first word of text"
	state  int32  // of the system, as in enum system_states
	module bool   // it is memory of a module
	text   bool   // it is text that the kernel must know as its own: exit text is not traced
}

// States of the system that are the same in all kernels.
const (
	booting    = 0
	scheduling = 1
	running    = 4 // SYSTEM_RUNNING or, before 5.18, a later state: init text is gone
)

// places are where words are patched: at the borders of what the kernel tells
// apart, at the borders of pages, and in modules.
func (p *patcher) places() (all []place) {
	im, page := p.im, p.page
	add := func(addr uint64, what string, state int32) {
		all = append(all, place{addr: addr, what: what, state: state, text: true})
	}
	start, end := p.text()
	middle := (start + (end-start)/2) &^ (page - 1)
	add(middle+page/2+8, "on a word of text", running)
	add(middle, "on the first word of a page", booting)
	add(middle+page-a64.Size, "on the last word of a page", running)
	if p.systemState != 0 {
		add(start, "on the first word of text", running)
		add(end-a64.Size, "on the last word of text", running)
		for _, r := range []struct{ name, start, end string }{
			{"init text", "_sinittext", "_einittext"}, {"exit text", "__exittext_begin", "__exittext_end"},
		} {
			lo, ok1 := im.Addr(r.start)
			hi, ok2 := im.Addr(r.end)
			if ok1 && ok2 && lo < hi && lo%a64.Size == 0 && hi%a64.Size == 0 {
				add(lo, "on the first word of "+r.name, booting)
				add(hi-a64.Size, "on the last word of "+r.name, scheduling)
				for i := len(all) - 2; i < len(all); i++ {
					all[i].text = r.start == "_sinittext"
				}
			}
		}
	}
	if p.canMap {
		for i, m := range p.modules {
			for k, state := range []int32{booting, running} {
				all = append(all, place{addr: m.addr, what: fmt.Sprintf("on the first word of a module's memory %s the image", m.where), state: state, module: true})
				if k == i {
					all = append(all, place{addr: m.addr + 2*page - a64.Size, what: fmt.Sprintf("on the last word of a module's memory %s the image", m.where), state: state, module: true})
				}
			}
		}
	}
	return all
}

// text is where the image's text begins and ends. Up to _etext there can be
// nothing in the file: the text ends where its section does.
func (p *patcher) text() (start, end uint64) {
	for _, s := range p.im.Sections() {
		if s.Executable() && s.Size > end-start {
			start, end = s.Addr, s.End()&^(a64.Size-1)
		}
	}
	if a, ok := p.im.Addr("_stext"); ok && a >= start && a < end {
		start = a
	}
	return start, end
}

// A situation is what happens while a function runs.
type situation struct {
	what     string
	fault    bool // the copy fails
	owned    bool // another processor has the lock
	masked   bool // interrupts are masked already
	ng       bool // the kernel is unmapped while programs run (KPTI)
	lse      bool // the processor has the atomics of Armv8.1
	copies   bool // the copies that can fail are executed themselves
	refuse   bool // the function must refuse
	unbacked bool // no page is there: the function must not write
}

// patchTwice executes a function on a place, and again with another word.
func (p *patcher) patchTwice(fn function, at place) {
	p.prepare(at)
	if p.call(fn, at, 0x1357_9bdf_d503_237f, situation{}) {
		p.call(fn, at, 0xfedc_ba98_9400_0321, situation{what: ", for the second time"})
	}
}

// corners executes a function on a place in special situations.
func (p *patcher) corners(fn function, at place) {
	const value = 0x0123_4567_d503_201f
	for _, s := range []situation{
		{what: ", where the copy fails", fault: true},
		{what: ", while another processor holds the lock", owned: true},
		{what: ", with interrupts masked", masked: true},
		{what: ", in a kernel with KPTI", ng: true},
		{what: ", by the kernel's own copy", copies: true},
		{what: ", on a processor with LSE atomics", lse: true},
		{what: ", on a processor with LSE atomics, while another holds the lock", lse: true, owned: true},
	} {
		switch {
		case s.fault && !p.copied, fn.kind == reads && !s.fault && !s.copies, s.copies && !p.plainCopies(), s.owned && !p.inline,
			s.ng && p.useNG == 0, s.lse && len(p.lse) == 0:
			continue
		}
		p.prepare(at)
		if p.call(fn, at, value, s) && s.fault {
			p.call(fn, at, value, situation{what: ", after a copy that failed"})
		}
	}
	if fn.kind != reads && p.canMap {
		mod := place{addr: p.modules[1].addr, what: "on memory of a module", state: running, module: true}
		for _, s := range []situation{
			{what: ", where the copy fails", fault: p.copied},
			{what: ", while another processor holds the lock", owned: p.inline},
			{what: ", on a processor with LSE atomics", lse: true},
		} {
			p.prepare(mod)
			p.call(fn, mod, value, s)
		}
	}
	if fn.kind != reads && p.canMap && !p.direct {
		gone := place{addr: p.modules[0].addr, what: "on memory of a module", state: running, module: true}
		p.prepare(gone)
		p.call(fn, gone, value, situation{what: " that is not there", unbacked: true})
	}
	if fn.kind == patches {
		for off := uint64(1); off < a64.Size; off++ {
			p.prepare(at)
			odd := at
			odd.addr += off
			odd.what = fmt.Sprintf("on an address that is %+d past a word", off)
			p.call(fn, odd, value, situation{refuse: true})
		}
	}
}

// proof says what an execution that ended with err shows, if all memory that the
// functions may use is there. It is "" where the emulator may be at fault, or
// where the kernel checks its memory by other memory, which is not there (KASAN).
func (p *patcher) proof(err error) string {
	var stop *emu.Stop
	if _, kasan := p.im.Addr("kasan_report"); kasan || !errors.As(err, &stop) {
		return ""
	}
	switch stop.Reason {
	case emu.Unmapped, emu.Permission, emu.Misaligned:
		return "uses memory that it must not: " + err.Error()
	}
	return ""
}

// strays is proof for addresses that show by themselves that the functions are at fault:
// those that no kernel has anything at, and those by the struct pages of sections. It is ""
// where the kernel's pages are not known: what the functions read of them is zero there.
func (p *patcher) strays(err error) string {
	var stop *emu.Stop
	if p.pages.size == 0 || !errors.As(err, &stop) {
		return ""
	}
	if stop.Addr>>52 != 0xfff || p.pages.sections != nil && stop.Addr-pagesBase < rootsBase+pagesSize-pagesBase {
		return p.proof(err)
	}
	return ""
}

// endsBadly says what an execution that ended with err shows of a function that
// waits for nothing: that it does not come to its end; "" if it shows nothing.
func endsBadly(err error) string {
	var stop *emu.Stop
	if !errors.As(err, &stop) {
		return ""
	}
	switch stop.Reason {
	case emu.StepLimit, emu.DepthLimit:
		return "does not come to its end: " + err.Error()
	case emu.Break, emu.Exception:
		return "ends in a trap: " + err.Error()
	case emu.Unmapped:
		// In no kernel there is memory at NULL. Above the stack of the caller nothing is either's.
		if stop.Addr < nullPages || stop.Addr-world.StackTop < 2*emu.PageSize {
			return "uses memory that it must not: " + err.Error()
		}
	}
	return ""
}

// nullPages is the size in bytes of the lowest addresses, which are those of members
// of a structure at NULL.
const nullPages = 64 << 10

// call executes fn on the place and judges it. It reports whether the function
// returned and did nothing wrong.
func (p *patcher) call(fn function, at place, value uint64, s situation) bool {
	p.begin(fn, at, s)
	target := at.addr
	if fn.kind == literal && !s.refuse {
		target = at.addr &^ 7
	}
	p.target, p.size = target, fn.kind.size()
	before := p.before[:p.size]
	_ = p.w.M.Read(target, before) // places are mapped
	args := []uint64{target, value}
	switch fn.kind {
	case reads:
		args[1] = p.out
	case writes, patches:
		args[1] = value & 0xffff_ffff
	}
	p.runs.Executed++
	ret, returned, err := p.w.Execute(world.Subject{Name: fn.name, Fn: fn.addr, Args: args})
	r := Run{Func: fn.name, Fn: fn.addr, Case: at.what + s.what}
	switch {
	case s.unbacked:
		// BUG(), or an error: but nothing is mapped, and nothing written.
		if p.maps+len(p.stores) > 0 || returned && int32(ret) >= 0 {
			p.diff("goes on where vmalloc_to_page finds no page")
		} else {
			p.w.Faults = nil
		}
	case err != nil:
		if proof := cmp.Or(endsBadly(err), p.strays(err)); proof != "" {
			p.diff("%s", proof)
		} else {
			r.Err, r.proof, r.kind = err, p.proof(err), at.module
		}
	case returned:
		want := before
		if fn.kind != reads && !s.fault && !s.refuse {
			want = binary.LittleEndian.AppendUint64(nil, value)[:p.size]
		}
		p.judge(fn, s, int32(ret), before, want)
	}
	for _, f := range p.w.Faults {
		if !slices.Contains(r.Diffs, f.What) {
			r.Diffs = append(r.Diffs, f.What)
		}
	}
	p.switches(s, false)
	_ = p.w.M.Write(target, before)
	good := r.Err == nil && len(r.Diffs) == 0
	p.clean = good && !s.unbacked
	if !good {
		p.runs.All = append(p.runs.All, r)
	} else if fn.kind != reads && !s.refuse && !s.unbacked {
		p.written[at.module] = true
	}
	return good
}
