package checks

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// FT408 executes ftrace_call_adjust on callsites, and what reads the callsite
// table at boot: it has the entries adjusted that are not blank.
var FT408 = check("FT408", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	kernel, none := kernelOf(pass)
	if kernel == nil {
		return notApplicable("%v", none)
	}
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	_, ok := kernel.Addr("ftrace_call_adjust")
	ok = ok && t.Shape.Size == 0 // otherwise it is the callsite's address, and FT409 executes what is there
	if im.Module() == nil {
		reading := t.Read(false)
		if len(reading.Diffs) > 0 {
			reportReading(pass, t, reading)
		}
		var lack *world.Lack
		switch {
		case reading.Err != nil && t.Blank > 0 && !errors.As(reading.Err, &lack):
			return inconclusive("what becomes of the %s is not known: %w", plural.Of(t.Blank, "blank entry"), reading.Err)
		case !ok && reading.Err == nil:
			return examined("%s read by ftrace_process_locs, executed", plural.Of(reading.Entries, "entry"))
		}
	}
	if !ok {
		return notApplicable("the image has no ftrace_call_adjust (an inline function before 6.3)")
	}
	return judgeSites(pass, []string{"ftrace_call_adjust"}, nil, func(run *callsite.Run, t *SiteTable, more string) {
		step := run.Failed()
		c := say("ftrace_call_adjust puts the BL of a callsite elsewhere").
			Because("executed on callsite %s%s, it returns %#x; the BL belongs at %s", t.name(im, run.Site.Entry), inCase(step), uint64(step.Returned), im.At(run.Site.Call))
		switch {
		case step.Died || !step.Wrong:
			c = say("ftrace_call_adjust misbehaves on a callsite")
			for _, d := range firstOf(step.Diffs, 3) {
				c = c.Because("executed on callsite %s%s, %s", t.name(im, run.Site.Entry), inCase(step), itDoes(d))
			}
		case step.Case != "":
			c = say("ftrace_call_adjust returns another address than the model").
				Because("executed on callsite %s%s, it returns %#x; by the model it returns %s", t.name(im, run.Site.Entry), inCase(step), uint64(step.Returned), step.WantRet)
		}
		c = c.Because("the callsite's words: %s", words(im, run.Site.Entry, t.Shape)).
			Do("Let ftrace_call_adjust() return the address of the BL, and 0 for what is no callsite")
		reportRun(pass, kernel, step.Func, run.Site, c, more)
	})
}, Sites, SiteRuns, InKernel)

// reportReading reports that the kernel does not make of its callsite table what
// it should.
func reportReading(pass *analysis.Pass, t *SiteTable, r *callsite.Reading) {
	c := say("ftrace_process_locs does not make of the callsite table what it should")
	blank := ""
	if len(r.Blank) > 0 {
		var values []string
		for _, v := range r.Blank {
			values = append(values, fmt.Sprintf("%#x", v))
		}
		blank = fmt.Sprintf(" and %d blank ones, as KASLR leaves those (%s)", len(r.Blank), strings.Join(values, ", "))
	}
	c = c.Because("executed on %s%s:", plural.Of(r.Entries-len(r.Blank), "entry"), blank)
	for _, d := range firstOf(r.Diffs, 3) {
		c = c.Because("%s", d)
	}
	if len(r.Blank) > 0 {
		c = c.Because("the table has %s", plural.Of(t.Blank, "blank entry")).
			Do("Pass over entries that are not in kernel text (is_kernel_text(), is_kernel_inittext())")
	}
	report(pass, r.Fn, c)
}
