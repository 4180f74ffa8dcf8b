package checks

import (
	"debug/elf"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT114 finds code without a landing pad that is reached by BR or BLR, in a kernel
// that is built with BTI.
var FT114 = check("FT114", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	if im.Module() != nil {
		return modulePads(pass)
	}
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	late := latePads(t)
	types := judgeTypes(pass)
	if t.BTI == 0 && len(late) == 0 {
		if types > 0 {
			return examined("%s (kCFI; the kernel is not built with BTI)", plural.Of(types, "type"))
		}
		return notApplicable("the kernel is not built with BTI: none of %s has a landing pad", plural.Of(len(t.Addrs), "callsite"))
	}
	n := 0
	for _, e := range t.Era.Indirect {
		at, ok := im.Addr(e.Symbol)
		if !ok || !im.IsText(at) {
			continue
		}
		n++
		if w, _ := im.Word(at); !e.Branch.Accepts(w) {
			report(pass, at, say("%s begins with no landing pad", e.Symbol).
				Because("%s stands at %#x, and is reached by %s", text(im, at), at, e.From).
				Because(exception).
				Because("BTI is in %s of %s: this kernel is built with it", plural.Number(t.BTI), plural.Of(len(t.Addrs), "callsite")).
				Do("Begin it with BTI c"))
		}
	}
	if len(late) > 0 {
		c := say("%s has its landing pad behind ftrace's NOPs", im.Name(late[0].Func)).
			Because("a BLR to the function lands on a NOP: " + exception)
		if len(late) > 1 {
			c = c.Because("so it is with %s", plural.Of(len(late)-1, "more function"))
		}
		report(pass, late[0].Func, c.Do("Build with a compiler that puts the landing pad first (GCC bug 92424)"))
	}
	veneers := plural.Of(veneerPads(pass), "veneer")
	if types > 0 {
		return examined("%s, %s, %s (kCFI)", plural.Of(n, "entry point"), veneers, plural.Of(types, "type"))
	}
	return examined("%s, %s", plural.Of(n, "entry point"), veneers)
}, Sites, InKernel)

// exception says what a branch to code without a landing pad is.
const exception = "in a guarded page that is a Branch Target exception"

// typed are the functions of the entry code that the kernel's C code calls by
// pointers.
var typed = []string{"ftrace_stub", "ftrace_stub_graph"}

// judgeTypes reports a function of typed without the word before it that kCFI
// compares ("arm64: Add types to indirect called assembly functions"). It returns
// the number of types that it looked at: 0 if the kernel is not built with kCFI.
func judgeTypes(pass *analysis.Pass) (n int) {
	im := image(pass)
	for _, name := range typed {
		typ, ok := im.Lookup("__kcfi_typeid_" + name)
		at, found := im.Addr(name)
		if !ok || !found || !im.IsText(at) {
			continue
		}
		n++
		if w, _ := im.Word(at - a64.Size); w != uint32(typ.Addr) {
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
		if !ok || !strings.HasPrefix(s.Name, "__") || !strings.HasSuffix(s.Name, "_veneer") && !strings.Contains(s.Name, "Thunk_") {
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
				Because(exception).
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

// modulePads is FT114 for a module: a branch that leaves the module, or goes from
// text to init text or back, goes through a PLT entry where its target is out of
// reach. The BR there needs a landing pad.
func modulePads(pass *analysis.Pass) (any, error) {
	im, kernel := image(pass), moduleKernel(pass)
	t := pass.ResultOf[Sites].(*SiteTable)
	switch {
	case t.BTI > 0:
	case kernel.Kernel == nil:
		return notApplicable("none of %s has a landing pad: the module is not built with BTI", plural.Of(len(t.Addrs), "callsite"))
	case !kernel.guarded():
		return notApplicable("the kernel is not built with BTI: none of its callsites has a landing pad")
	}
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
	return examined("%s of branches that may go through a PLT entry", plural.Of(len(judged), "target"))
}

// partOf names the part of a module that addr lies in.
func partOf(m *elfscan.Module, addr uint64) string { return "the module's " + m.PartAt(addr).String() }
