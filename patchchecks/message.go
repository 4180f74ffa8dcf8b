package patchchecks

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// noPatch says why a rule about messages is not applicable.
const noPatch = "a source file, not a patch"

// FT606 finds open points that a patch of tracing, entry code, text or memory for
// code brings with it: at most one finding for the message, and one for each comment.
var FT606 = check("FT606", func(j *judge) tally {
	if j.In.Source != nil {
		return notApplicable(noPatch)
	}
	about := 0
	for _, c := range j.Patches {
		passed := false                         // it has an open point, and is about something else
		var marks []analysis.RelatedInformation // of the message
		var first string                        // the text of the first mark
		for _, row := range c.Message {
			begin, end, ok := openPoint(row.Text)
			if !ok {
				continue
			}
			if len(marks) == 0 {
				first = row.Text[begin:end]
			}
			marks = append(marks, analysis.RelatedInformation{
				Pos: j.In.MessagePos(row, begin), End: j.In.MessagePos(row, end),
				Message: "and here: " + short(strings.TrimSpace(row.Text)),
			})
		}
		if len(marks) > 0 && !j.aboutCode(c) {
			passed = true
		} else if len(marks) > 0 {
			j.reportSpan(marks[0].Pos, marks[0].End, finding.Say("the message has an open point of its own: %s", brief(first)).
				Because("%s", undecided).
				Do("Do it, or say in the message why the patch is right without it"), marks[1:]...)
		}
		for _, s := range c.Files {
			last := int32(-1)
			for _, t := range s.Tokens {
				if t.Kind != patchscan.Comment || t.Block == last {
					continue
				}
				if !hasAny(t.Text, "TODO", "FIXME", "XXX") {
					continue
				}
				if m := openMark.FindStringIndex(t.Text); m != nil && s.Added(t) {
					if !j.aboutCode(c) {
						passed = true
						break
					}
					last = t.Block
					t.Col, t.Text = t.Col+int32(m[0]), t.Text[m[0]:m[1]]
					j.report(s, t, finding.Say("the patch adds a comment with an open point: %s", t.Text).
						Because("%s", undecided).
						Do("Do it, or say why the code is right without it"))
				}
			}
		}
		if !passed {
			about++
		}
	}
	if about == 0 {
		return notApplicable(noneAbout)
	}
	return examined("%s", some(about, "patch"))
})

// noneAbout says why a rule about messages is not applicable to patches.
const noneAbout = "no patch of tracing, entry code, text patching or memory for code"

// undecided says why an open point matters.
const undecided = "a reviewer must know of it to decide whether the patch may go in"

var (
	openMark = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	// In a message the word is a heading, or a remark in parentheses.
	openInMessage = regexp.MustCompile(`\((TODO|FIXME|XXX)\b|^\W*(TODO|FIXME|XXX)\b|\b(TODO|FIXME|XXX) ?:` +
		`|^\W*(?i:known (issues?|problems?|bugs?|limitations?)|open issues?) ?(:|$)`)
	// The patch removes an open point of others.
	aboutOthers = regexp.MustCompile(`(?i)\b(remove|drop|resolve|fix|address|do|delete)(s|d|es|ed)? (a|the|this|that|an old|the old)\b`)
)

// openPoint finds the mark of an open point in a line of a message, without the
// punctuation around it. An open point that the patch removes does not count.
func openPoint(t string) (begin, end int, ok bool) {
	if !hasAny(t, "TODO", "FIXME", "XXX", "nown", "NOWN", "pen issue") {
		return 0, 0, false // most lines
	}
	if strings.HasPrefix(t, "Subject:") || aboutOthers.MatchString(t) {
		return 0, 0, false
	}
	at := openInMessage.FindStringIndex(t)
	if at == nil {
		return 0, 0, false
	}
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) }
	begin = at[0] + strings.IndexFunc(t[at[0]:], unicode.IsLetter)
	return begin, begin + len(strings.TrimRightFunc(t[begin:at[1]], notLetter)), true
}

func hasAny(t string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(t, w) })
}

// FT607 finds messages that claim speed and give no figure. A figure in the cover
// letter counts for each patch of the series.
var FT607 = check("FT607", func(j *judge) tally {
	if j.In.Source != nil {
		return notApplicable(noPatch)
	}
	letters := slices.Clip(j.In.Letters) // inputs may share it
	for _, c := range j.Patches {
		if len(c.Patch.Files) == 0 {
			letters = append(letters, c.Patch)
		}
	}
	if slices.ContainsFunc(letters, hasFigure) {
		return examined("the cover letter has figures")
	}
	n := 0
	for _, c := range j.Patches {
		if len(c.Patch.Files) == 0 || len(c.Message) == 0 {
			continue
		}
		row, begin, end, quote, ok := claim(c.Message)
		if ok && !j.aboutCode(c) {
			continue
		}
		n++
		if ok && !hasFigure(c.Patch) {
			j.reportSpan(j.In.MessagePos(row, begin), j.In.MessagePos(row, end), finding.Say("the message says %q and gives no figure", brief(quote)).
				Because("neither the message nor a cover letter has a number with a unit, or a table of numbers").
				Do("Say what a call costs before and after the patch, and where that matters"))
		}
	}
	if n == 0 {
		return notApplicable(noneAbout)
	}
	return examined("%s", some(n, "message"))
})

// claims matches words that say that something is fast or slow.
var claims = regexp.MustCompile(`(?i)\b(?:(?:very|too|quite|so|more|less|highly|really|extremely|rather|pretty) (?:in)?(?:efficient|efficiently|slow|fast|expensive|costly)` +
	`|inefficient|slower|faster|speeds? up|speedup` +
	`|(?:improv|increas|boost|degrad|hurt)\w* (?:the |its |our )?(?:\w+ )?(?:performance|throughput|latency)` +
	`|(?:better|worse|poor|good|bad) performance|performance (?:gain|win|boost|improvement|penalty|impact|hit|overhead)s?` +
	`|(?:reduc|lower|sav|avoid|eliminat)\w* (?:the |its |this |that |some |a lot of )?(?:\w+ )?(?:overhead|latency|cpu time))\b`)

// denied matches text before a claim that denies the claim, or doubts it.
var denied = regexp.MustCompile(`(?i)\b(no|not|without|any|isn't|doesn't|don't|aren't|n't|never|nor|should|may|might|could)\b[^.]{0,24}$`)

// claim finds the first claim in a message, and quotes it. The position of a claim
// on two lines is on the second.
func claim(message []patchscan.TextRow) (row patchscan.TextRow, begin, end int, quote string, ok bool) {
	var b strings.Builder
	starts := make([]int, len(message))
	for i, r := range message {
		starts[i] = b.Len()
		b.WriteString(strings.ReplaceAll(r.Text, "\t", " "))
		b.WriteByte(' ')
	}
	all := b.String()
	if !hasAny(strings.ToLower(all), "efficient", "slow", "fast", "expensive", "costly", "speed", "perform", "throughput", "latency", "overhead", "cpu time") {
		return row, 0, 0, "", false // most messages; the expression is slow
	}
	for _, m := range claims.FindAllStringIndex(all, -1) {
		if denied.MatchString(all[max(0, m[0]-40):m[0]]) {
			continue
		}
		i := len(starts) - 1
		for i > 0 && starts[i] >= m[1] {
			i--
		}
		return message[i], max(0, m[0]-starts[i]), m[1] - starts[i], all[m[0]:m[1]], true
	}
	return row, 0, 0, "", false
}

var (
	figure = regexp.MustCompile(`(?i)\b\d[\d.,]*\s?(?:%|x\b|×|times (?:faster|slower|as|more|less|fewer)\b|fold\b|ns\b|us\b|µs\b|usecs?\b|nsecs?\b|ms\b|msecs?\b|s\b|secs?\b|seconds?\b|cycles\b|instructions\b|[kmg]i?b/s\b|[kmg]?bps\b|[kmg]?ops\b|calls/s)`)

	// A figure in words, or two numbers without a unit.
	inWords = regexp.MustCompile(`(?i)\bby (?:(?:about|around|roughly|almost|nearly|over|up to|more than|at least) )?(?:(?:an?|one|two|three|four) )?(?:half|thirds?|quarters?|fifths?|sixths?|tenths?)(?: (?:of|on|in|with|for|when|at|and|than)\b|[^\w\s]|\s*$)` +
		`|\b(?:halve[sd]?|halving|(?:twice|(?:two|three|four|five|ten|\d+) times) (?:as|the|faster|slower|more|less|fewer)|doubl(?:es?|ed|ing)|orders? of magnitude|factor of \w+|(?:two|three|four|five|ten)fold)\b` +
		`|\bfrom (?:\w+ )?\d[\d.,]*\s?(?:\w+ )?(?:down |up )?to (?:\w+ )?\d|\b\d+\.\d+ ?(?:->|=>|→) ?\d`)

	// A row of a table has two numbers.
	numbers = regexp.MustCompile(`(?:\b\d[\d.,]*\b\D+){2}`)
)

// hasFigure reports whether the message of a patch, or its remarks, have a figure:
// a number with a unit of speed or time, or a table of numbers.
func hasFigure(p *patchscan.Patch) bool {
	for _, rows := range [][]patchscan.TextRow{p.Message, p.Remarks} {
		rowsOfTable := 0
		for _, r := range rows {
			if (figure.MatchString(r.Text) || inWords.MatchString(r.Text)) && !strings.HasPrefix(r.Text, "Date:") {
				return true
			}
			if strings.Count(r.Text, "|") >= 2 && numbers.MatchString(r.Text) {
				if rowsOfTable++; rowsOfTable >= 2 {
					return true
				}
			}
		}
	}
	return false
}
