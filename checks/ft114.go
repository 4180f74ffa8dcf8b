package checks

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT114 finds code without a landing pad that is reached by an indirect branch, in a
// kernel that is built with landing pads.
var FT114 = check("FT114", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	if im.Module() != nil {
		return modulePads(pass)
	}
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	pads := &t.Arch.Pads
	late := latePads(t)
	types := judgeTypes(pass)
	if t.BTI == 0 && len(late) == 0 {
		if types > 0 {
			return examined("%s (kCFI; the kernel is not built with %s)", plural.Of(types, "type"), pads.Feature)
		}
		return notApplicable("the kernel is not built with %s: none of %s has a landing pad", pads.Feature, plural.Of(len(t.Addrs), "callsite"))
	}
	entries := indirectEntries(t)
	for _, e := range entries {
		if !e.accepts(im.Code(e.at, im.Arch().MaxInsn)) {
			report(pass, e.at, say("%s begins with no landing pad", e.name).
				Because("%s stands at %#x, and is reached by %s", text(im, e.at), e.at, e.from).
				Because("%s", pads.Exception).
				Because("%s is in %s of %s: this kernel is built with it", pads.Feature, plural.Number(t.BTI), plural.Of(len(t.Addrs), "callsite")).
				Do("Begin it with %s", pads.Insn))
		}
	}
	if len(late) > 0 {
		c := say("%s has its landing pad behind %s", im.Name(late[0].Func), pads.BehindSite).
			Because("%s: %s", pads.Late, pads.Exception)
		if len(late) > 1 {
			c = c.Because("so it is with %s", plural.Of(len(late)-1, "more function"))
		}
		report(pass, late[0].Func, c.Do("%s", pads.LateFix))
	}
	what := plural.Of(len(entries), "entry point")
	if pads.Veneer != nil {
		what += ", " + plural.Of(veneerPads(pass), "veneer")
	}
	if removed, ok := judgeRemoved(pass, entries); ok {
		what += fmt.Sprintf(", %s that the kernel removes", plural.Of(removed, "landing pad"))
	}
	if types > 0 {
		what += fmt.Sprintf(", %s (kCFI)", plural.Of(types, "type"))
	}
	return examined("%s", what)
}, Sites, InKernel)

// An indirectEntry is code that an indirect branch reaches.
type indirectEntry struct {
	name    string
	at      uint64
	from    string // the branch, in words
	accepts func(code []byte) bool
}

// indirectEntries are those of the entry points, and of the functions that pointers of
// the kernel point to, that the image has.
func indirectEntries(t *SiteTable) (entries []indirectEntry) {
	im := t.Image
	for _, e := range t.Era.Indirect {
		if at, ok := im.Addr(e.Symbol); ok && im.IsText(at) {
			entries = append(entries, indirectEntry{e.Symbol, at, e.From, e.Accepts})
		}
	}
	for _, p := range t.Arch.Pads.Pointers {
		at, ok := im.Addr(p.Symbol)
		if !ok {
			continue
		}
		to, _ := im.Uint64(at)
		if im.IsText(to) && !slices.ContainsFunc(entries, func(e indirectEntry) bool { return e.at == to }) {
			entries = append(entries, indirectEntry{labelOf(im, to), to, p.From, t.Arch.Pads.Accepts})
		}
	}
	return entries
}

// judgeRemoved reports entries whose landing pad the kernel removes when it boots, by a
// table of those that no indirect branch reaches. It returns the number of entries of
// that table. ok is false if the image has none.
func judgeRemoved(pass *analysis.Pass, entries []indirectEntry) (n int, ok bool) {
	im := image(pass)
	table := im.Arch().Pads.Removed
	start, ok1 := im.Addr(table[0])
	stop, ok2 := im.Addr(table[1])
	data, ok3 := im.Bytes(start, int(stop-start))
	if !ok1 || !ok2 || !ok3 {
		return 0, false
	}
	const size = 4
	for i := 0; i+size <= len(data); i += size {
		at := start + uint64(i)
		at += uint64(int64(int32(binary.LittleEndian.Uint32(data[i:]))))
		for _, e := range entries {
			if e.at == at {
				report(pass, e.at, say("%s loses its landing pad when the kernel boots", e.name).
					Because("it is reached by %s", e.from).
					Because("entry %d of %s says that no indirect branch reaches it", i/size, table[0]).
					Because("%s", im.Arch().Pads.Exception).
					Do("Have the tool that makes the table (objtool --ibt) know the function's address"))
			}
		}
	}
	return len(data) / size, true
}

// typed are the functions of the entry code that the kernel's C code calls by
// pointers.
var typed = []string{"ftrace_stub", "ftrace_stub_graph"}

// judgeTypes reports a function of typed without the type before it that kCFI
// compares ("arm64: Add types to indirect called assembly functions"). It returns
// the number of types that it looked at: 0 if the kernel is not built with kCFI.
func judgeTypes(pass *analysis.Pass) (n int) {
	im := image(pass)
	place := im.Arch().Type
	for _, name := range typed {
		typ, ok := im.Lookup("__kcfi_typeid_" + name)
		at, found := im.Addr(name)
		if !ok || !found || !im.IsText(at) {
			continue
		}
		n++
		if before := im.Code(at-place.Before, int(place.Before)); !bytes.Contains(before, place.Code(uint32(typ.Addr))) {
			w, _ := im.Word(at - a64.Size)
			report(pass, at, say("%s has no type for kCFI before it", name).
				Because("%08x stands there; its type is %08x (__kcfi_typeid_%s)", w, uint32(typ.Addr), name).
				Because("a call of it by a pointer is checked by kCFI, and traps").
				Do("Begin it with SYM_TYPED_FUNC_START"))
		}
	}
	return n
}

// latePads are the callsites whose function has its landing pad behind the NOPs.
func latePads(t *SiteTable) (late []callsite.Site) {
	for i := range t.Callsites {
		if t.Callsites[i].Late {
			late = append(late, t.Callsites[i])
		}
	}
	return late
}

// veneerPads reports functions without a landing pad that a veneer of the linker
// goes to by BR. It returns the number of such veneers.
func veneerPads(pass *analysis.Pass) (n int) {
	im := image(pass)
	im.EachFunction(func(fn uint64) {
		s, ok := im.SymbolAt(fn)
		if !ok || !im.Arch().Pads.Veneer(s.Name) {
			return
		}
		target, branch, at := throughVeneer(im, fn)
		if branch == 0 || !im.IsText(target) {
			return
		}
		n++
		if w, _ := im.Word(target); !branch.Accepts(w) {
			report(pass, target, say("%s begins with no landing pad, and a veneer goes there", labelOf(im, target)).
				Because("%s stands at %#x", text(im, target), target).
				Because("it is reached by %s in %s, which the linker has put between it and a branch that does not reach it", branch, s.Name).
				Because("%s", im.Arch().Pads.Exception).
				Do("Begin it with BTI c, or have the compiler do so"), relatedTo(im, at, "the branch")...)
		}
	})
	return n
}

// throughVeneer is where the veneer at fn goes by BR: by ADRP and ADD, or by a
// literal. branch is 0 if the veneer goes there by B.
func throughVeneer(im *elfscan.Image, fn uint64) (target uint64, branch a64.BranchType, at uint64) {
	const most = 8 // instructions
	var x [32]uint64
	for at = fn; at < fn+most*a64.Size; at += a64.Size {
		w, ok := im.Word(at)
		kind := a64.Classify(w)
		to, _ := a64.Target(w, at)
		switch {
		case !ok || kind == a64.Branch:
			return 0, 0, 0
		case kind == a64.BR:
			return x[a64.Rn(w)], a64.BranchTypeOf(w), at
		case kind == a64.ADR || kind == a64.ADRP:
			x[a64.Rd(w)] = to
		case kind == a64.LDRLit:
			x[a64.Rd(w)], _ = im.Uint64(to)
		case w&0xff800000 == 0x91000000: // ADD Xd, Xn, #imm
			x[a64.Rd(w)] = x[a64.Rn(w)] + uint64(w>>10&0xfff)<<(w>>22&1*12)
		case w&0xffe0fc00 == 0x8b000000: // ADD Xd, Xn, Xm
			x[a64.Rd(w)] = x[a64.Rn(w)] + x[a64.Rm(w)]
		}
	}
	return 0, 0, 0
}

// modulePads is FT114 for a module.
func modulePads(pass *analysis.Pass) (any, error) {
	kernel := moduleKernel(pass)
	t := pass.ResultOf[Sites].(*SiteTable)
	feature := image(pass).Arch().Pads.Feature
	switch {
	case t.BTI > 0:
	case kernel.Kernel == nil:
		return notApplicable("none of %s has a landing pad: the module is not built with %s", plural.Of(len(t.Addrs), "callsite"), feature)
	case !kernel.guarded():
		return notApplicable("the kernel is not built with %s: none of its callsites has a landing pad", feature)
	}
	var what []string
	if mods := image(pass).Arch().Modules; mods.PLT != "" {
		what = append(what, pltPads(pass))
	} else if len(mods.Called) > 0 {
		what = append(what, calledPads(pass, t, mods.Called))
	}
	return examined("%s", strings.Join(what, ", "))
}

// calledPads reports functions of a module without a landing pad that the kernel calls
// by pointers: those of the names, and traced functions that have the landing pad behind
// their callsite. It says what it looked at.
func calledPads(pass *analysis.Pass, t *SiteTable, names []string) string {
	im := image(pass)
	pads := &im.Arch().Pads
	n := 0
	for _, name := range names {
		at, ok := im.Addr(name)
		if !ok || !im.IsText(at) {
			continue
		}
		if n++; !pads.Accepts(im.Code(at, im.Arch().MaxInsn)) {
			c := say("%s begins with no landing pad, and the kernel calls it by a pointer", name).
				Because("%s stands at %#x", text(im, at), at).
				Because("%s", pads.Exception)
			if t.BTI == 0 {
				c = c.Because("none of %s of the module has a landing pad, and those of the kernel have", plural.Of(len(t.Addrs), "callsite"))
			}
			report(pass, at, c.Do("Build the module with the kernel's flags (-fcf-protection=branch), or begin it with %s", pads.Insn))
		}
	}
	if late := latePads(t); len(late) > 0 {
		report(pass, late[0].Func, say("%s has its landing pad behind %s", im.Name(late[0].Func), pads.BehindSite).
			Because("%s: %s", pads.Late, pads.Exception).
			Because("so it is with %s of the module", plural.Of(len(late), "function")).
			Do("%s", pads.LateFix))
	}
	return fmt.Sprintf("%s that the kernel calls by pointers", plural.Of(n, "function"))
}

// pltPads reports targets without a landing pad: a branch that leaves the module, or
// goes from text to init text or back, goes through a PLT entry where its target is out
// of reach, and the BR there needs a landing pad. It says what it looked at.
func pltPads(pass *analysis.Pass) string {
	im, kernel := image(pass), moduleKernel(pass)
	m := im.Module()
	type branch struct {
		at, target uint64
		in         *elfscan.Image // that the target lies in
	}
	var bad []branch
	judged := map[uint64]bool{} // targets
	for i, s := range m.Sections {
		if s.Part != elfscan.Text && s.Part != elfscan.InitText || s.Flags&elf.SHF_EXECINSTR == 0 {
			continue
		}
		im.EachBranch(i, func(at, target uint64, undefined string) {
			in := im
			if undefined != "" {
				if in = kernel.Kernel; in == nil {
					return
				}
				s, ok := in.Lookup(undefined)
				if !ok || s.Bind == elf.STB_LOCAL { // another module has it
					return
				}
			} else if m.PartAt(target) == s.Part {
				return // never out of reach
			}
			if judged[target] || !in.IsText(target) {
				return
			}
			judged[target] = true
			if w, ok := in.Word(target); ok && !a64.BranchIP.Accepts(w) {
				bad = append(bad, branch{at, target, in})
			}
		})
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b branch) int { return int(int64(a.at - b.at)) })
		first := bad[0]
		c := say("%s begins with no landing pad, and a PLT entry may go there", labelOf(first.in, first.target)).
			Because("%s stands at %#x", text(first.in, first.target), first.target).
			Because("the branch at %s, which leaves %s, goes through a PLT entry where the loader places the two out of reach", im.At(first.at), partOf(m, first.at)).
			Because("the entry's `br x16` is a Branch Target exception there")
		if n := len(bad) - 1; n > 0 {
			var names []string
			for _, b := range bad[1:min(n+1, 4)] {
				names = append(names, b.in.At(b.target))
			}
			c = c.Because("so it is with %s: %s", plural.Of(n, "other function"), some(names, 3))
		}
		place, near := first.target, relatedTo(im, first.at, "the branch")
		if first.in != im {
			place, near = first.at, nil
		}
		report(pass, place, c.Do("Build the code with branch protection of all functions that another section calls"), near...)
	}
	return plural.Of(len(judged), "target") + " of branches that may go through a PLT entry"
}

// partOf names the part of a module that addr lies in.
func partOf(m *elfscan.Module, addr uint64) string { return "the module's " + m.PartAt(addr).String() }
