// Package diff is about what changed from one kernel image to another: what can be
// traced, the instructions of the entry code and of the architecture's functions, how
// far branches have to reach, and what became of each rule.
//
// Two builds of one source differ in nothing that the package looks at: it compares
// names, not addresses.
package diff

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/tracing"
)

// A Side is one of the two kernels. Its image is open.
type Side struct {
	Kernel *tracing.Kernel
	Result *finding.Result // of the rules, with picture.Distances
}

func (s *Side) arch() *arch.Arch { return s.Kernel.Image.Arch() }

// A Diff is what changed.
type Diff struct {
	Old, New     *finding.ImageFacts
	Era          *Pair // nil: it is the same
	Capabilities []Capability
	Functions    []Function // by name
	Code         []Code
	Margins      []Margin
	Rules        []Rule
}

// A Pair is a text in the old kernel and in the new one.
type Pair struct{ Old, New string }

// A Capability is one that came or went.
type Capability struct{ Old, New finding.Capability }

// A Rule is a rule whose outcome changed, or whose findings did.
type Rule struct {
	rules.Rule
	Old, New   finding.RuleRun
	Came, Gone []string // headlines of findings
}

// A Margin is a distance or a size that changed. A change of less than Least is not
// counted: two builds of one source differ by as much.
type Margin struct {
	Name     string
	Old, New int64
	Limit    int64 // 0 for none
}

// Least is the least change of a distance that counts, in bytes.
const Least = 1 << 20

// Files compares the kernel images at two paths. use is called while the images are open.
func Files(ctx context.Context, paths [2]string, use func(*Diff) error) error {
	var sides [2]Side
	for i, path := range paths {
		cfg := lint.Config{Pictures: []*analysis.Analyzer{picture.Distances}}
		res := lint.File(ctx, path, cfg)
		if len(res.Errors) > 0 {
			return res.Errors[0]
		}
		if res.Image == nil || res.IsModule {
			return fmt.Errorf("%s: a kernel image was expected", path)
		}
		sides[i].Result = res
	}
	open := func(i int, then func() error) error {
		errs, err := lint.Traceable(lint.Inputs{Images: paths[i : i+1]}, "", func(k *tracing.Kernel, _ *finding.ImageFacts, _ []tracing.Listed) error {
			sides[i].Kernel = k
			return then()
		})
		return errors.Join(append(errs, err)...)
	}
	return open(0, func() error {
		return open(1, func() error {
			if a, b := sides[0].arch(), sides[1].arch(); a != b {
				return fmt.Errorf("%s is a kernel for %s, %s is one for %s: kernels of one architecture were expected", paths[0], a.Name, paths[1], b.Name)
			}
			return use(Of(sides[0], sides[1]))
		})
	})
}

// Of compares two kernels.
func Of(old, new Side) *Diff {
	d := &Diff{Old: old.Result.Image, New: new.Result.Image}
	if d.Old.Era != d.New.Era {
		d.Era = &Pair{d.Old.Era, d.New.Era}
	}
	d.Capabilities = capabilities(old.Kernel.Capabilities, new.Kernel.Capabilities)
	d.Functions = functions(old.Kernel, new.Kernel)
	d.Code = code(old.Kernel.Image, new.Kernel.Image)
	d.Margins = margins(old, new)
	d.Rules = outcomes(old.Result, new.Result)
	return d
}

// Same reports whether nothing changed.
func (d *Diff) Same() bool {
	return d.Era == nil && len(d.Capabilities)+len(d.Functions)+len(d.Code)+len(d.Margins)+len(d.Rules) == 0
}

// Lost reports whether something can be traced no more: a capability is gone, or a use
// of a function.
func (d *Diff) Lost() bool {
	return slices.ContainsFunc(d.Capabilities, func(c Capability) bool { return c.Old.Has }) ||
		slices.ContainsFunc(d.Functions, func(f Function) bool { return len(f.Lost) > 0 })
}

func capabilities(old, new []finding.Capability) (list []Capability) {
	for _, o := range old {
		for _, n := range new {
			if o.ID == n.ID && o.Has != n.Has {
				list = append(list, Capability{o, n})
			}
		}
	}
	return list
}

// outcomes are the rules whose status, or whose findings, are not the same.
func outcomes(old, new *finding.Result) (list []Rule) {
	before := map[string]finding.RuleRun{}
	for _, r := range old.Rules {
		before[r.Rule.ID] = r
	}
	for _, n := range new.Rules {
		o, ok := before[n.Rule.ID]
		if !ok {
			continue
		}
		r := Rule{Rule: n.Rule, Old: o, New: n}
		r.Gone, r.Came = headlines(old, new, n.Rule.ID), headlines(new, old, n.Rule.ID)
		if o.Status != n.Status || len(r.Gone)+len(r.Came) > 0 {
			list = append(list, r)
		}
	}
	return list
}

// headlines are those of the findings of a rule that a has and b does not have.
func headlines(a, b *finding.Result, id string) (list []string) {
	count := map[finding.Identity]int{}
	for _, f := range b.Findings {
		count[f.Identity]++
	}
	for _, f := range a.Findings {
		if f.Rule.ID != id {
			continue
		}
		if count[f.Identity]--; count[f.Identity] < 0 {
			list = append(list, f.Headline)
		}
	}
	return list
}

// margins are how far branches have to reach, and the room that modules get for PLTs.
func margins(old, new Side) (list []Margin) {
	add := func(name string, limit, least int64, of func(Side) (int64, bool)) {
		o, ok1 := of(old)
		n, ok2 := of(new)
		if ok1 && ok2 && max(o-n, n-o) >= least {
			list = append(list, Margin{name, o, n, limit})
		}
	}
	reach, modules := old.arch().Call.Max, old.arch().Modules
	add("callsites that do not reach the entry code", 0, 1, func(s Side) (int64, bool) {
		d := picture.Of(s.Result).Distances
		if d == nil {
			return 0, false
		}
		return int64(d.Callsites - d.InReach), true
	})
	add("bytes from the entry code to the farthest callsite", reach, Least, func(s Side) (int64, bool) {
		d := picture.Of(s.Result).Distances
		if d == nil || d.Callsites == 0 {
			return 0, false
		}
		return max(d.Max, -d.Min), true
	})
	add("bytes of the image, from which near modules have to be reached", reach, Least, func(s Side) (int64, bool) {
		im := s.Kernel.Image
		start, ok1 := im.Addr("_text")
		end, ok2 := im.Addr("_end")
		return int64(end - start), ok1 && ok2
	})
	for _, section := range []string{modules.PLT, modules.InitPLT} {
		if section == "" {
			continue
		}
		add("bytes of PLT room for ftrace in a module, "+section, 0, 1, func(s Side) (int64, bool) {
			v, err := callsite.ViewOfLoader(s.Kernel.Image)
			return int64(v.Sizes[section]), err == nil
		})
	}
	return list
}
