package lint

import (
	"context"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// built lints the image at path, which was built with the patches. It keeps the
// image's findings on lines that a patch adds and in functions that a patch
// touches. A defect found in both is the patch's finding: built marks it as
// confirmed and adds the image's message to it.
func (d *driver) built(ctx context.Context, path string, patches []*finding.Result) *finding.Result {
	began := time.Now()
	whole := *d
	whole.MaxPerRule, whole.allPlaces = 0, true
	res := soon(ctx, path, func() *finding.Result { return whole.imageFile(ctx, path, openBuilt(patches)) })
	res.Partial = true
	defer func() { res.Elapsed = time.Since(began) }()

	known, suppressed := map[string]int{}, map[string]int{}
	res.Uncounted = slices.DeleteFunc(res.Uncounted, func(f finding.Finding) bool {
		switch {
		case !touches(patches, f):
			return true
		case f.Known:
			known[f.Rule.ID]++
		default:
			suppressed[f.Rule.ID]++
		}
		return false
	})
	kept := map[string]int{}
	res.Findings = slices.DeleteFunc(res.Findings, func(f finding.Finding) bool {
		if !touches(patches, f) || confirm(patches, f, path) {
			return true
		}
		kept[f.Rule.ID]++
		return false
	})
	trim(res, &finding.Limit{Most: d.MaxPerRule})
	for i := range res.Rules {
		run := &res.Rules[i]
		run.Known, run.Suppressed = known[run.Rule.ID], suppressed[run.Rule.ID]
		if n := run.Findings - kept[run.Rule.ID]; n > 0 {
			hidden := "not shown, because the patch has them or they are elsewhere: " + plural.Of(n, "finding")
			run.Examined = strings.TrimPrefix(run.Examined+"; "+hidden, "; ")
		}
		run.Findings = kept[run.Rule.ID]
	}
	return res
}

// openBuilt opens an image that was built with patches. An image of another
// architecture than all of their code confirms nothing and has none of their lines.
func openBuilt(patches []*finding.Result) opener {
	return func(path, debugFile string) (*elfscan.Image, error) {
		im, err := elfscan.Open(path, debugFile)
		if err != nil {
			return nil, err
		}
		var archs []string
		for _, p := range patches {
			if p.Patch != nil {
				archs = append(archs, p.Patch.Archs...)
			}
		}
		if name := im.Arch().Name; len(archs) > 0 && !slices.Contains(archs, name) {
			im.Close()
			slices.Sort(archs)
			of := strings.Join(slices.Compact(archs), " and ")
			what := fmt.Sprintf("is an image for %s, and the patches' code is that of %s, so that nothing of the image is judged: name the vmlinux that was built with them", name, of)
			return nil, &elfscan.Error{Path: path, What: what}
		}
		return im, nil
	}
}

// symbolNames are the names of an image's symbols. The map is empty if the image cannot
// be read; the image's own result says so.
func symbolNames(path, debugFile string) map[string]bool {
	names := map[string]bool{}
	im, err := elfscan.Open(path, debugFile)
	if err != nil {
		return names
	}
	defer im.Close()
	defer elfscan.Guard()()
	im.EachSymbol(func(_ uint64, name []byte, _ elf.SymType) bool {
		names[string(name)] = true
		return true
	})
	return names
}

// touches reports whether an image's finding is on lines or in a function that a
// patch touches.
func touches(patches []*finding.Result, f finding.Finding) bool {
	return slices.ContainsFunc(patches, func(p *finding.Result) bool {
		return p.Patch != nil && slices.ContainsFunc(p.Patch.Touched, func(s finding.Span) bool {
			return s.Holds(f.Path, f.Line) || s.Func != "" && s.Func == f.Identity.Symbol
		})
	})
}

// confirm marks the patches' finding that the image's finding f confirms, and
// reports whether there is one. The two findings are of the same rule, at the
// same line or else in the same function. If the patch's finding does not count,
// the image's does not count either.
func confirm(patches []*finding.Result, f finding.Finding, image string) bool {
	best, bestAt := 0, (*finding.Finding)(nil)
	for _, p := range patches {
		for i := range len(p.Findings) + len(p.Uncounted) {
			var own *finding.Finding
			if i < len(p.Findings) {
				own = &p.Findings[i]
			} else {
				own = &p.Uncounted[i-len(p.Findings)]
			}
			if own.Rule.ID != f.Rule.InPatches() {
				continue
			}
			if near := closeness(p.Patch.Touched, own, f); near > best {
				best, bestAt = near, own
			}
		}
	}
	if bestAt == nil {
		return false
	}
	bestAt.Confirmed = true
	bestAt.Claim = bestAt.Because("the image confirms it")
	place := f.Place
	if place.Line == 0 {
		place.Path = image
	}
	bestAt.Related = append(bestAt.Related, finding.Related{Place: place, Message: fmt.Sprintf("%s confirms it: %s", image, f.Headline)})
	return true
}

// closeness returns how near the patch's own finding is to the image's finding f:
// 3 at the same line, 2 in the same lines of a function, 1 in the function of
// that name, 0 elsewhere.
func closeness(touched []finding.Span, own *finding.Finding, f finding.Finding) int {
	within := func(same func(finding.Span) bool) bool {
		return slices.ContainsFunc(touched, func(s finding.Span) bool {
			return s.Func != "" && s.Holds(own.Patched.Path, own.Patched.Line) && same(s)
		})
	}
	switch {
	case own.Patched.Path == f.Path && own.Patched.Line == f.Line && f.Line > 0:
		return 3
	case within(func(s finding.Span) bool { return s.Holds(f.Path, f.Line) }):
		return 2
	case within(func(s finding.Span) bool { return s.Func != "" && s.Func == f.Identity.Symbol }):
		return 1
	}
	return 0
}
