package checks

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// Built is what the image's builder of dynamic trampolines builds,
// *trampoline.Results. In an image without a builder nothing is executed.
var Built = &analysis.Analyzer{
	Name:     "built",
	Doc:      "execute the image's builder of dynamic trampolines",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		if image(pass).Module() != nil {
			return &trampoline.Results{None: &world.Lack{What: "a module has no builder"}}, nil
		}
		return trampoline.Build(table(pass)), nil
	},
	ResultType: reflect.TypeFor[*trampoline.Results](),
}

// builtCheck makes the analyzer of a rule that looks at the executed builder.
// It calls run with the runs in the situations that the rule is about.
func builtCheck(id string, run func(*analysis.Pass, []*trampoline.Run, *spots), situations ...trampoline.Situation) *analysis.Analyzer {
	return check(id, func(pass *analysis.Pass) (any, error) {
		t := pass.ResultOf[Built].(*trampoline.Results)
		switch {
		case t.None != nil:
			return notApplicable("%v", t.None)
		case t.Err != nil:
			return inconclusive("the builder (%s) could not be executed: %v", image(pass).At(t.Builder), t.Err)
		}
		var runs []*trampoline.Run
		var stuck error
		made, more := false, 0 // more runs that are stuck
		for i := range t.Runs {
			r := &t.Runs[i]
			made = made || r.Situation == trampoline.Near && r.Err == nil && r.Trampoline != 0
			if !slices.Contains(situations, r.Situation) {
				continue
			}
			if r.Err != nil {
				if stuck == nil {
					stuck = fmt.Errorf("%s, with %v: %w", r.Variant(), r.Situation, r.Err)
				} else {
					more++
				}
				continue
			}
			runs = append(runs, r)
		}
		s := &spots{pass: pass, im: image(pass)}
		run(pass, runs, s)
		s.report()
		switch {
		case stuck != nil:
			also := ""
			if more > 0 {
				also = fmt.Sprintf(" (and so on %s)", plural.Of(more, "more time"))
			}
			return inconclusive("the builder, executed for %w%s", stuck, also) // which says why it was cut short, too
		case !made:
			return inconclusive("the builder makes no trampoline, even with memory in reach")
		}
		return partly(cutShort(t, situations), "the builder, executed %s", plural.Of(len(runs), "time"))
	}, Built)
}

// cutShort says in which of the situations the builder was not executed, or not
// with all failures.
func cutShort(t *trampoline.Results, situations []trampoline.Situation) (skipped []error) {
	for _, c := range t.Cut {
		var in []string
		for _, s := range c.Situations {
			if slices.Contains(situations, s) {
				in = append(in, s.String())
			}
		}
		if in != nil {
			skipped = append(skipped, fmt.Errorf("the builder for %s, with %s (%w)", c.Variant, strings.Join(in, "; with "), c.Why))
		}
	}
	return skipped
}

// modelCheck is builtCheck for a rule about differences from the model, with
// memory near and after an update. fix says what to do about each of them.
func modelCheck(id string, fix func(*arch.Arch) string) *analysis.Analyzer {
	rule, _ := rules.Lookup(id)
	a := builtCheck(id, func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
		for _, r := range runs {
			for _, d := range r.Diffs {
				if rule.Differences.Has(d.Kind) {
					s.addDiff(r, d, fix(s.im.Arch()))
				}
			}
		}
	}, trampoline.Near, trampoline.Updated)
	return withModel(a)
}

// anywhere is a fix that is the same on every architecture.
func anywhere(fix string) func(*arch.Arch) string { return func(*arch.Arch) string { return fix } }

// withModel makes a rule about differences from the model inconclusive where the
// image gives no model. It adds the analyzers that the rule requires beside
// Built.
func withModel(a *analysis.Analyzer, requires ...*analysis.Analyzer) *analysis.Analyzer {
	a.Requires = append(a.Requires, requires...)
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		out, err := run(pass)
		if o, ok := out.(finding.Outcome); ok && o.Status == finding.Judged {
			if t := pass.ResultOf[Built].(*trampoline.Results); t.ModelErr != nil {
				return finding.Outcome{Status: finding.Inconclusive, Why: fmt.Errorf("no model to compare with: %w", t.ModelErr), Skipped: o.Skipped}, nil
			}
		}
		return out, err
	}
	return a
}

// A spot is a finding about a line of the builder.
type spot struct {
	pc       uint64 // of the builder's instruction
	key      string // findings of one line with the same key are one finding
	claim    finding.Claim
	variants []string // of the trampoline that show it
	with     string   // the situation that the first run was in; "" if nothing is special about it
	related  []analysis.RelatedInformation
}

// spots gathers findings about the builder. Several runs that show the same of
// one line make one finding.
type spots struct {
	pass *analysis.Pass
	im   *elfscan.Image
	list []*spot
}

// line is the source line of an address, or the address if its line is not
// known.
func (s *spots) line(pc uint64) string {
	if l, ok := s.im.Line(pc); ok {
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	}
	return fmt.Sprintf("%#x", pc)
}

// add adds a finding at pc about a run. It returns the new spot, or nil if the
// line has a finding with this key already.
func (s *spots) add(r *trampoline.Run, pc uint64, key string, c finding.Claim) *spot {
	key += " " + s.line(pc)
	for _, have := range s.list {
		if have.key == key {
			if !slices.Contains(have.variants, r.Variant()) {
				have.variants = append(have.variants, r.Variant())
			}
			return nil
		}
	}
	sp := &spot{pc: pc, key: key, claim: c, variants: []string{r.Variant()}}
	if r.Situation != trampoline.Near {
		sp.with = r.Situation.String()
	}
	s.list = append(s.list, sp)
	return sp
}

// addDiff adds a difference from the model. fix says what to do about it.
func (s *spots) addDiff(r *trampoline.Run, d trampoline.Diff, fix string, facts ...string) {
	insn := ""
	if w, ok := s.im.Word(d.Origin); ok && d.Origin != 0 {
		insn = a64.Text(w, d.Origin, s.im.Name)
	}
	pc := d.PC
	if pc == 0 {
		pc, _ = s.im.Addr("arch_ftrace_update_trampoline")
	}
	sp := s.add(r, pc, insn, finding.Claim{Headline: d.What, Evidence: slices.Concat(d.Facts, facts), Fix: fix})
	if sp != nil && d.Origin != 0 {
		sp.related = []analysis.RelatedInformation{related(s.im, d.Origin, "in the template: %s (%#x)", d.Where, d.Origin)}
	}
}

// inEncoder reports whether the instruction at pc belongs to one of the kernel's
// own encoders, which the compiler inlined into the builder.
func (s *spots) inEncoder(pc uint64) bool {
	l, ok := s.im.Line(pc)
	return ok && (path.Base(l.File) == "insn.c" || path.Base(l.File) == "insn.h")
}

// report reports the findings that were gathered.
func (s *spots) report() {
	for _, sp := range s.list {
		seen := "seen in the trampoline for " + strings.Join(sp.variants, " and ")
		if sp.with != "" {
			seen += ", with " + sp.with
		}
		report(s.pass, sp.pc, sp.claim.Because("%s", seen), sp.related...)
	}
}

// at is the name of an address in a run: relative to the trampoline, if it lies
// in the trampoline's memory.
func at(r *trampoline.Run, addr uint64) string {
	if r.Trampoline != 0 && addr >= r.Trampoline && r.Area(r.Trampoline) == r.Area(addr) {
		return fmt.Sprintf("trampoline+%#x", addr-r.Trampoline)
	}
	return fmt.Sprintf("%#x", addr)
}

// word is an instruction of a run's trampoline in the form of findings.
func word(im *elfscan.Image, r *trampoline.Run, w uint32, addr uint64) string {
	return "`" + a64.Text(w, addr, func(a uint64) string {
		switch {
		case a == r.Func:
			return "the callback"
		case r.Area(a) != nil:
			return at(r, a)
		}
		return im.Name(a)
	}) + "`"
}

// mebibytes is a distance of n bytes in the form of findings.
func mebibytes(n int64) string { return fmt.Sprintf("%+d MiB", n>>20) }
