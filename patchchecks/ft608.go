package patchchecks

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT608 finds patches that allocate memory for code, and branch to or from that
// memory with neither a PLT nor a test of the range. The patch makes the branches
// from the memory. For an ops->trampoline ftrace writes the branches to the memory:
// the BL of callsites. A PLT counts for the branch whose addresses come from it.
var FT608 = codeCheck("FT608", func(j *judge) tally {
	type place struct {
		s  *Source
		fl *flow
		t  patchscan.Token
	}
	var alloc, offers *place // the first allocation; the first sign that callsites will call the memory
	var branches []place     // that leave the memory, untested
	for _, s := range j.Files {
		for _, t := range s.Tokens {
			if t.Text == "FTRACE_OPS_FL_ALLOC_TRAMP" && s.Added(t) && offers == nil {
				offers = &place{s, nil, t}
			}
		}
	}
	allocations := 0
	j.funcs(func(s *Source, fl *flow) {
		for _, c := range fl.calls {
			t := fl.Tokens[c.At]
			switch {
			case allocators[c.Name] && s.Added(t):
				if allocations++; alloc == nil {
					alloc = &place{s, fl, t}
				}
			case c.Name == "aarch64_insn_gen_branch_imm" && s.Added(t) && len(c.Args) > 1 && (fl.pointsInto(c.Args[0]) || fl.pointsInto(c.Args[1])):
				if !fl.testsRange(c) && !fl.usesPLT(c) && !j.callersTest(fl, c) {
					branches = append(branches, place{s, fl, fl.span(c)})
				}
			}
		}
	})
	if alloc == nil {
		return notApplicable("the input allocates no memory for code")
	}
	looked := examined("%s of memory for code, %s that nothing tests", some(allocations, "allocation"), some(len(branches), "branch"))
	if len(branches) == 0 {
		return looked
	}
	from := note(alloc.s, alloc.t, "the memory comes from %s()", alloc.t.Text)
	b := branches[0]
	related := []analysis.RelatedInformation{from}
	for _, more := range branches[1:] {
		related = append(related, note(more.s, more.t, "nothing tests this branch either"))
	}
	j.report(b.s, b.t, finding.Say("%s makes a branch out of a trampoline with no test of its range", b.fl.name()).
		Because("the trampoline is in memory from %s() (%s)", alloc.t.Text, alloc.s.where(alloc.t)).
		Because("BL reaches 128 MiB, and %s() may give memory 2 GiB away", alloc.t.Text).
		Because("neither the range nor the result (AARCH64_BREAK_FAULT) is tested, and there is no PLT").
		Do("Test the result for AARCH64_BREAK_FAULT and fail, or branch by a PLT"), related...)
	if offers != nil {
		c := finding.Say("FTRACE_OPS_FL_ALLOC_TRAMP promises trampolines that callsites may not reach").
			Because("callsites call a trampoline by BL, which reaches 128 MiB").
			Because("%s() may give memory 2 GiB away, and nothing refuses a trampoline that a callsite cannot reach", alloc.t.Text)
		pos, end := offers.s.pos(offers.t), offers.s.end(offers.t)
		if row, at, ok := j.aboutReach(); ok {
			pos, end = j.In.MessagePos(row, at[0]), j.In.MessagePos(row, at[1])
			c = c.Because("the message says that reach is missing, and it is missing in both directions")
		}
		j.reportSpan(pos, end, c.Do("Refuse a trampoline that is out of a callsite's reach, or give callsites a PLT"),
			from, note(b.s, b.t, "the other direction: from the trampoline"))
	}
	return looked
})

// pltName matches names that have to do with a PLT.
var pltName = regexp.MustCompile(`(?i)(^|_)(plts?|veneers?)(_|$)`)

// isPLT reports whether a name, "->name" for a member, has to do with a PLT.
func isPLT(name string) bool {
	return pltName.MatchString(strings.TrimPrefix(name, "->")) || name == "ftrace_find_callable_addr"
}

// usesPLT reports whether one of the addresses of a branch comes from a PLT.
func (fl *flow) usesPLT(branch patchscan.Call) bool {
	for _, arg := range branch.Args[:2] {
		for name := range fl.origins(arg, branch.At) {
			if isPLT(name) || slices.ContainsFunc(fl.helpers[name], func(g *flow) bool { return g != fl && g.givesPLT() }) {
				return true
			}
		}
	}
	return false
}

// testsRange reports whether the function tests the range of a branch, or the
// encoder's result.
func (fl *flow) testsRange(branch patchscan.Call) bool {
	if fl.testsFault() {
		return true
	}
	names := fl.origins(slices.Concat(branch.Args[0], branch.Args[1]), branch.At)
	for i := max(fl.Body, 1); i+1 < branch.At; i++ {
		switch fl.Tokens[i].Text {
		case "<", ">", "<=", ">=":
			if fl.compares(i, names) {
				return true
			}
		}
	}
	for _, c := range fl.calls {
		if c.At < branch.At && fl.decides(c.At) && fl.helper(c, names, (*flow).testsParameter) {
			return true
		}
		if c.At < branch.At && rangeTest.MatchString(c.Name) && slices.ContainsFunc(c.Args, func(arg []patchscan.Token) bool { return mentions(arg, names) }) {
			return true
		}
	}
	return false
}

// rangeTest matches names of functions that test the range of a branch.
var rangeTest = regexp.MustCompile(`(?i)in_range|long_jump|reachable|within|branch_imm_common`)

// testsFault reports whether the function compares an instruction with
// AARCH64_BREAK_FAULT.
func (fl *flow) testsFault() bool {
	for i, t := range fl.Tokens {
		if t.Text == "AARCH64_BREAK_FAULT" && besideComparison(fl.Tokens, i) {
			return true
		}
	}
	return false
}

// callersTest reports whether the function returns the branch, and a function that
// calls it tests the result.
func (j *judge) callersTest(fl *flow, branch patchscan.Call) (tested bool) {
	out := slices.ContainsFunc(fl.returns, func(r patchscan.Return) bool {
		return r.At < branch.At && branch.At <= r.At+len(r.Value) || slices.ContainsFunc(fl.assigns, func(a patchscan.Assign) bool {
			return callsAny(a.Value, map[string]bool{branch.Name: true}) && mentions(r.Value, map[string]bool{key(a.Name): true})
		})
	})
	if !out || fl.NameAt < 0 {
		return false
	}
	j.funcs(func(_ *Source, other *flow) {
		tested = tested || other != fl && other.testsFault() && slices.ContainsFunc(other.calls, func(c patchscan.Call) bool { return c.Name == fl.Name })
	})
	return tested
}

// longJump matches words about the reach of a branch.
var longJump = regexp.MustCompile(`(?i)far away|long jump|out of (range|reach)|too far|128 ?M`)

// aboutReach finds the first line of a message that is about reach, and the words
// that say so.
func (j *judge) aboutReach() (row patchscan.TextRow, at []int, ok bool) {
	for _, c := range j.Patches {
		if len(c.Files) == 0 {
			continue
		}
		for _, r := range c.Message {
			if m := longJump.FindStringIndex(r.Text); m != nil {
				return r, m, true
			}
		}
	}
	return row, nil, false
}
