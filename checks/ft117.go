package checks

import (
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/hook"
	"github.com/ftlint/ftlint/internal/plural"
)

// Hooks are the functions by which the core of ftrace drives the architecture,
// executed, []hook.Hook. The result is empty for a module.
var Hooks = &analysis.Analyzer{
	Name:     "hooks",
	Doc:      "execute the functions by which the core of ftrace drives the architecture",
	Requires: []*analysis.Analyzer{Image, Sites, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		t, _ := sitesOf(pass)
		if t == nil || image(pass).Module() != nil {
			return []hook.Hook(nil), nil
		}
		return hook.Run(t.Table, hookSites(t), pass.ResultOf[Types].(*callsite.Types)), nil
	},
	ResultType: reflect.TypeFor[[]hook.Hook](),
}

// hookSites are the first callsite without a landing pad and, where the kernel is
// built with landing pads, the first with one.
func hookSites(t *SiteTable) (sites []callsite.Site) {
	for _, bti := range []bool{false, true} {
		if bti && t.BTI == 0 {
			break
		}
		for i := range t.Callsites {
			if s := &t.Callsites[i]; s.BTI == bti && s.Text && s.OK && (s.AtFunc || !t.Shape.AtEntry()) {
				sites = append(sites, *s)
				break
			}
		}
	}
	return sites
}

// FT117 executes the functions that the core of ftrace calls, but for those of a
// callsite's life (FT408, FT409), and finds what breaks their contract.
var FT117 = check("FT117", func(pass *analysis.Pass) (any, error) {
	if image(pass).Module() != nil {
		return notApplicable("a module has none of the functions that the core of ftrace calls")
	}
	if t, none := sitesOf(pass); t == nil {
		return notApplicable("%v", none)
	}
	hooks := pass.ResultOf[Hooks].([]hook.Hook)
	var stuck, lacks []string
	functions, situations := 0, 0
	for i := range hooks {
		h := &hooks[i]
		switch {
		case len(h.Failed) > 0:
			first := h.Failed[0]
			c, rest := misdeed(h.Func, "breaks its contract", first.Diffs)
			if first.Text != "" {
				c = c.Because("executed where %s", first.Text)
			} else {
				c = c.Because("executed as the core of ftrace calls it")
			}
			for _, d := range firstOf(rest, 3) {
				c = c.Because("%s", itDoes(d))
			}
			if n := len(h.Failed); n > 1 {
				c = c.Because("and in %s", plural.Of(n-1, "more situation"))
			}
			report(pass, h.Addr, c.Do("Compare %s with its contract (ftlint explain FT117) and with arch/%s/kernel/ftrace.c", h.Func, image(pass).Arch().Name))
		case h.Err != nil:
			stuck = append(stuck, h.Func+": "+h.Err.Error())
		case h.Lack != nil:
			lacks = append(lacks, h.Func+" ("+h.Lack.Error()+")")
			continue
		}
		functions++
		situations += h.Situations
	}
	switch {
	case stuck != nil:
		return inconclusive("%s", some(stuck, 2))
	case functions == 0:
		return notApplicable("the image has none of the functions that the core of ftrace calls")
	case lacks != nil:
		return examined("%s in %s; not executed: %s", plural.Of(functions, "function"), plural.Of(situations, "situation"), some(lacks, 3))
	}
	return examined("%s in %s", plural.Of(functions, "function"), plural.Of(situations, "situation"))
}, Sites, Hooks)
