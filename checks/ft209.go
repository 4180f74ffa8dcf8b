package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT209 executes ftrace_make_call on a callsite in a module's init text, far from
// everything that the callsite could call. What a module lacks for such a callsite
// in a kernel that has PLTs in init text is FT205.
var FT209 = check("FT209", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	far, before, never := farRegion(im)
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	switch {
	case never != nil:
		return notApplicable("%v", never)
	case runs.None != nil:
		return notApplicable("%v", runs.None)
	case runs.InitUntried != nil:
		return notApplicable("%v", runs.InitUntried)
	}
	for i := range runs.InitFar {
		run := &runs.InitFar[i]
		if run.Err != nil {
			return inconclusive("%w", run.Err)
		}
		if run.Arrives() && len(run.Diffs) == 0 {
			continue
		}
		fn, _ := im.Addr("ftrace_make_call")
		report(pass, fn, say("ftrace_make_call cannot enable callsites in init text that is far away").
			Because("executed with %s %+d MiB and the PLT in the module's text %+d MiB away (BL reaches -128..+128), it %s", run.Entry, run.ToEntry>>20, run.ToPLT>>20, leftBehind(im, run)).
			Because("%s", apartBy(before, far)).
			Do("Give modules a PLT in init text (\"arm64: ftrace: fix unreachable PLT for ftrace_caller in init_module\")"))
		break
	}
	// In one region, init text is behind text in the first 128 MiB unless these are
	// full. That it is then so far away is possible, and hardly ever so.
	return finding.Outcome{Examined: plural.Of(len(runs.InitFar), "callsite") + " in init text", Harmless: far.Name != "module_plt_base"}, nil
}, Sites, SiteRuns)

// leftBehind is what ftrace_make_call() returned and did, in words.
func leftBehind(im *elfscan.Image, run *callsite.InitRun) string {
	word := fmt.Sprintf("%08x `%s`", run.Word, a64.Text(run.Word, run.Call, im.Name))
	switch {
	case len(run.Diffs) > 0:
		return some(run.Diffs, 3)
	case run.Returned != 0:
		return fmt.Sprintf("returns %d, after which ftrace switches itself off", run.Returned)
	case a64.Classify(run.Word) == a64.Break:
		return fmt.Sprintf("returns 0 and leaves %s: the kernel dies when the module's init function runs", word)
	}
	return fmt.Sprintf("returns 0 and leaves %s, which does not come to %s", word, run.Entry)
}

// apartBy says how the kernel comes to place init text far from text: in the region
// far, or when the regions before it are full.
func apartBy(before []elfscan.ModuleRegion, far elfscan.ModuleRegion) string {
	full := "the kernel allocates text and init text apart, anywhere in"
	if len(before) > 0 {
		full = fmt.Sprintf("the kernel allocates text and init text apart; when the 128 MiB of %s are full, anywhere in", before[0].Name)
	}
	return fmt.Sprintf("%s %#x..%#x (%s)", full, far.Start, far.End, far.Name)
}
