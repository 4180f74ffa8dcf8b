package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/child"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

const builders = "../testdata/vmlinux-samples/builders"

// htmlOf is the page about some inputs, as the command line makes it.
func htmlOf(t *testing.T, srctree string, paths ...string) string {
	t.Helper()
	var results []*finding.Result
	in := lint.Find(paths)
	if _, err := lint.Run(t.Context(), in, lint.Config{Pictures: picture.All}, func(res *finding.Result) { results = append(results, res) }); err != nil {
		t.Fatal(err)
	}
	return page(t, &report.Run{Results: results, SrcTree: srctree})
}

func page(t *testing.T, run *report.Run) string {
	t.Helper()
	return write(t, "html", run)
}

// pages are pages of all kinds, by name.
func pages(t *testing.T) map[string]string {
	sample := func(name string) string { return filepath.Join(builders, name) }
	modules, err := filepath.Glob("../testdata/module-samples/good-callops*.ko")
	if err != nil || len(modules) < 2 {
		t.Fatalf("module samples: %v, %v", modules, err)
	}
	some := []string{"../testdata/module-samples/kernel-callops.elf", "../testdata/module-samples/plt-wrong.ko", "../testdata/module-samples/section-wx.ko"}
	return map[string]string{
		"rfc":         htmlOf(t, builders, sample("rfc-builder.elf")),
		"good":        htmlOf(t, builders, sample("builder-good.elf")),
		"short copy":  htmlOf(t, "", sample("builder-copy-short.elf")),
		"BPF":         htmlOf(t, builders, sample("bpf-start-late.elf")),
		"BPF, good":   htmlOf(t, builders, sample("bpf-good.elf")),
		"no reach":    htmlOf(t, "", "../testdata/vmlinux-samples/reach-back.elf"),
		"no lines":    htmlOf(t, "", "../testdata/vmlinux-samples/regs-good-nodwarf.elf"),
		"no symbols":  htmlOf(t, "", "../testdata/vmlinux-samples/regs-good-stripped.elf"),
		"two inputs":  htmlOf(t, "", sample("rfc-builder.elf"), sample("builder-wx.elf")),
		"one module":  htmlOf(t, "", some[0], some[1]),
		"modules":     htmlOf(t, "", append(some, modules...)...),
		"source file": htmlOf(t, "", sample("rfc-builder.c")),
		"patch":       htmlOf(t, "", "../patchchecks/testdata/example.patch"),
		"many":        page(t, many(300)),
		"unread":      htmlOf(t, "", sample("builder-wx.elf"), sample("README.md")),
		"nothing":     page(t, &report.Run{}),
		"hostile":     page(t, hostile()),
		"harmful":     page(t, harmful()),
	}
}

var (
	idAttr   = regexp.MustCompile(`\sid="([^"]*)"`)
	hrefAttr = regexp.MustCompile(`\shref="([^"]*)"`)
	tag      = regexp.MustCompile(`<[a-zA-Z][^>]*>`)
	styleTag = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	jsTag    = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	value    = regexp.MustCompile(`"[^"]*"`)
	badAttr  = regexp.MustCompile(`(?i)\s(on\w+|style|src|srcset|action|formaction|xlink:href)=`)
)

// Every page holds together: fragments are there and differ, nothing is
// loaded, and style and script are those that the policy names.
func TestPages(t *testing.T) {
	for name, html := range pages(t) {
		ids := map[string]bool{}
		for _, m := range idAttr.FindAllStringSubmatch(html, -1) {
			if ids[m[1]] {
				t.Errorf("%s: two elements are called %q", name, m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range hrefAttr.FindAllStringSubmatch(html, -1) {
			if frag, ok := strings.CutPrefix(m[1], "#"); ok {
				if !ids[frag] {
					t.Errorf("%s: a link to %q leads nowhere", name, m[1])
				}
			} else if m[1] != "data:," {
				t.Errorf("%s: a link leads out of the file: %s", name, m[1])
			}
		}
		styles, scripts := styleTag.FindAllStringSubmatch(html, -1), jsTag.FindAllStringSubmatch(html, -1)
		if len(styles) != 1 || len(scripts) != 1 || strings.Count(html, "<style") != 1 || strings.Count(html, "<script") != 1 {
			t.Fatalf("%s: %d styles, %d scripts", name, len(styles), len(scripts))
		}
		for _, s := range []string{styles[0][1], scripts[0][1]} {
			sum := sha256.Sum256([]byte(s))
			if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(strings.ReplaceAll(html, "&#43;", "+"), "sha256-"+hash) {
				t.Errorf("%s: the policy does not name sha256-%s", name, hash)
			}
		}
		if !strings.Contains(html, "default-src &#39;none&#39;") {
			t.Errorf("%s: there is no policy", name)
		}
		body := html[strings.Index(html, "<body"):strings.Index(html, "<script>")]
		for _, m := range tag.FindAllString(body, -1) {
			if badAttr.MatchString(value.ReplaceAllString(m, "")) {
				t.Errorf("%s: %s", name, m)
			}
		}
		if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "%!") {
			t.Errorf("%s: something could not be written", name)
		}
	}
}

// The pages are HTML, says tidy.
func TestPagesTidy(t *testing.T) {
	if _, err := exec.LookPath("tidy"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no tidy: install Debian's tidy")
		}
		t.Skip("SKIPPED: no tidy: install Debian's tidy")
	}
	for name, html := range pages(t) {
		cmd := child.Command(t, "tidy", "-q", "-e", "--drop-empty-elements", "no", "--mute", "TRIM_EMPTY_ELEMENT")
		cmd.Stdin = strings.NewReader(html)
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

const (
	harm = `</style></script><script>window.pwned=1</script><img src=x onerror=window.pwned=2>" onmouseover="window.pwned=3' &amp; &#60;b`
	odd  = "\x1b[31m\u202egnp.exe\u2066\x00\xff\ufeff"
)

// harmful is a run whose every name is meant to harm.
func harmful() *report.Run {
	rule, _ := rules.Lookup("FT401")
	own := rules.Rule{ID: harm, Name: harm, Severity: rules.Error, Title: harm}
	at := finding.Place{Path: harm + odd, Line: 3, Col: 1, Addr: 0x1000}
	line := picture.Line{Addr: 0x1000, Word: 0xd503201f, Labels: []string{harm + odd}, Text: harm + odd, Model: harm, Note: harm + odd}
	list := []picture.Listing{{Title: harm + odd, Lines: []picture.Line{line}}}
	cell := trampoline.Cell{At: 0x2000, Size: 4, Word: 1, Text: harm + odd, Model: harm, From: harm, Label: harm, Role: trampoline.CallSlot, Differs: true, Diffs: []int{0}, Origin: 1, Writer: 0}
	moment := trampoline.Moment{Event: world.Event{Kind: world.Copy, Func: harm + odd, Addr: 0x2000, Size: 4, PC: 0x1004}, Mine: true, Alive: true, State: []trampoline.CellState{trampoline.Stale}, Hits: []bool{true}, Count: 1, At: harm}
	evil := errors.New(harm + odd)
	call := picture.Call{Insn: "BL", Size: arch.ARM64.CallSize, Reach: arch.ARM64.Call}
	res := &finding.Result{
		Path:  harm + odd,
		Image: &finding.ImageFacts{Form: harm, Callsites: 1, LineProblem: harm + odd, Template: []string{harm + odd}, Entries: []finding.NamedAddr{{Name: harm, Addr: 1}}},
		Pictures: []any{
			picture.EntryCode(list), &picture.Code{Listings: list}, evil,
			picture.SourceLines{0x1000: {Path: harm, Line: 7}, 1: {Path: harm, Line: 1}, 0x1004: {Path: harm + odd, Line: 1}},
			&picture.Built{NoBuilder: evil, NoModel: evil,
				Trampolines: []picture.Trampoline{{Variant: harm, Addr: 0x2000, Size: 4, Perms: "rwx", Cells: []trampoline.Cell{cell}, Moments: []trampoline.Moment{moment}, Diffs: []picture.Diff{{Rule: harm, Text: harm + odd}}, Whole: []int{0}, Err: evil}},
				Situations:  []picture.Situation{{Variant: harm, Slot: harm + odd, Err: evil}}},
			&picture.AddressMap{Call: call, Entry: finding.NamedAddr{Name: harm, Addr: 5},
				Regions: []picture.Region{{Kind: picture.RegionImage, Name: harm, Note: harm, Start: 0, End: ^uint64(0)}, {Kind: picture.RegionSection, Name: harm + odd, Note: harm, Start: 0, End: 100}}},
			&picture.SiteDistances{Call: call, Callsites: 1, Bins: []picture.Bin{{Lo: 0, Hi: 1024, N: 1}}},
		},
		Rules:  []finding.RuleRun{{Rule: rule, Findings: 2, Outcome: finding.Outcome{Status: finding.Inconclusive, Examined: harm + odd, Why: evil}}, {Rule: own, Findings: 1}},
		Errors: []error{fmt.Errorf("%s%s", harm, odd)},
	}
	for _, r := range []rules.Rule{rule, rule, own} {
		res.Findings = append(res.Findings, finding.Finding{Place: at, Rule: r, Claim: finding.Claim{Headline: "`" + harm + "` " + odd}, Symbol: harm + odd, Insn: harm + odd, Source: harm + odd, Related: []finding.Related{{Place: at, Message: harm + odd}}})
	}
	return &report.Run{Results: []*finding.Result{res}, Version: harm + odd}
}

// Names that are meant to harm are text, and nothing of them changes how other
// text is shown.
func TestHarmlessNames(t *testing.T) {
	html := page(t, harmful())
	for _, bad := range []string{"<script>window", "<img", "onmouseover=\"", "\x1b", "\u202e", "\u2066", "\x00", "\ufeff", "\xff"} {
		if i := strings.Index(html, bad); i >= 0 {
			t.Errorf("the page has %q: %q", bad, html[max(0, i-80):min(len(html), i+80)])
		}
	}
	if n := strings.Count(html, "&lt;script&gt;window.pwned=1"); n < 30 {
		t.Errorf("%d names are on the page, there are more", n)
	}
}

// What is found has a fragment that stays when addresses and lines move.
func TestFragments(t *testing.T) {
	rule, _ := rules.Lookup("FT407")
	fragment := regexp.MustCompile(`id="(FT407-[0-9a-f]{16}(?:-\d+)?)"`)
	ids := func(move uint64) (out []string) {
		res := &finding.Result{Path: "vmlinux", Rules: []finding.RuleRun{{Rule: rule, Findings: 3}}}
		for i, symbol := range []string{"a", "b", "b"} {
			res.Findings = append(res.Findings, finding.Finding{Place: finding.Place{Path: "vmlinux", Line: int(move) + i, Addr: move + uint64(i)}, Rule: rule, Claim: finding.Claim{Headline: "m"},
				Identity: finding.Identity{Rule: "FT407", Object: "vmlinux", Symbol: symbol, Text: "nop"}})
		}
		for _, m := range fragment.FindAllStringSubmatch(page(t, &report.Run{Results: []*finding.Result{res}}), -1) {
			out = append(out, m[1])
		}
		return out
	}
	got, moved := ids(0x1000), ids(0x5000)
	if len(got) != 3 || got[0] == got[1] || got[2] != got[1]+"-2" || !slices.Equal(got, moved) {
		t.Errorf("fragments %q, moved %q", got, moved)
	}
}

// A rule that did not come to a verdict is not said to have passed.
func TestUndecidedIsSaid(t *testing.T) {
	rule := func(id string) rules.Rule { r, _ := rules.Lookup(id); return r }
	html := page(t, &report.Run{Results: []*finding.Result{{Path: "vmlinux", Image: &finding.ImageFacts{}, Rules: []finding.RuleRun{
		{Rule: rule("FT401"), Outcome: finding.Outcome{Status: finding.Inconclusive, Why: errors.New("the table is torn")}},
		{Rule: rule("FT402"), Outcome: finding.Outcome{Status: finding.NotApplicable, Why: errors.New("no such thing")}},
		{Rule: rule("FT403"), Outcome: finding.Outcome{Examined: "3 callsites"}},
	}}}})
	row := func(status, id, why string) string {
		return `(?s)<th scope="row"><span[^>]*>.</span> ` + status + `</th><td>[^\n]*` + id + `[^\n]*<td>` + why
	}
	for _, want := range []string{
		row("inconclusive", "FT401", "the table is torn"), row("not applicable", "FT402", "no such thing"), row("passed", "FT403", "3 callsites"),
		`<h1>.*Nothing found, 1 rule passed; 1 rule inconclusive</h1>`, `Inconclusive: <a href="#rule-FT401"`, `inconclusive: vmlinux: the table is torn`,
		`FT401 \S+</span> <span class="became warning">inconclusive</span>`, `FT402 \S+</span> <span class="became na">not applicable</span>`, `FT403 \S+</span> <span class="became good">passed</span>`,
	} {
		if !regexp.MustCompile(want).MatchString(html) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if regexp.MustCompile(`passed</th><td>[^\n]*FT40[12]`).MatchString(html) {
		t.Error("a rule without a verdict counts as passed")
	}
}

// What is known or suppressed is counted, with the reason, and has not passed.
func TestQuietIsSaid(t *testing.T) {
	rule := func(id string) rules.Rule { r, _ := rules.Lookup(id); return r }
	sup := &finding.Suppression{Rule: "FT402", Reason: "<b>is so</b>"}
	for _, results := range [][]*finding.Result{
		{{Path: "vmlinux", Image: &finding.ImageFacts{}}},
		{{Path: "a.ko", Image: &finding.ImageFacts{Module: &finding.ModuleFacts{}}, IsModule: true}, {Path: "b.ko", Image: &finding.ImageFacts{Module: &finding.ModuleFacts{}}, IsModule: true}},
	} {
		res := results[0]
		res.ConfigFile = "up/.ftlint.yaml"
		res.Uncounted = []finding.Finding{{Rule: rule("FT401"), Known: true}, {Rule: rule("FT402"), SuppressedBy: sup}}
		res.Rules = []finding.RuleRun{{Rule: rule("FT401"), Known: 1, Fixed: 2}, {Rule: rule("FT402"), Suppressed: 1}, {Rule: rule("FT403")}}
		html := page(t, &report.Run{Results: results})
		for _, want := range []string{
			`<h1>.*Clean: 1 rule passed</h1>`, `; 2 known or suppressed, not shown`, `Passed: <a href="#rule-FT403"`,
			`suppressed: FT402 1 \(&lt;b&gt;is so&lt;/b&gt;\)`, `baseline: FT401 1 known, 2 fixed`, `config: up/.ftlint.yaml`,
		} {
			if !regexp.MustCompile(want).MatchString(html) {
				t.Errorf("the page of %d inputs lacks %s", len(results), want)
			}
		}
		if len(results) == 1 && !regexp.MustCompile(`(?s)known</th><td>[^\n]*FT401.*suppressed</th><td>[^\n]*FT402.*passed</th><td>[^\n]*FT403`).MatchString(html) {
			t.Error("the outcomes are not known, suppressed, passed")
		}
	}
}

// The page about the RFC's builder says what there is to see.
func TestRFCPage(t *testing.T) {
	html := htmlOf(t, builders, filepath.Join(builders, "rfc-builder.elf"))
	for _, want := range []string{
		`<a href="#rule-FT109">FT109 ops-literal-misaligned</a>`,
		`    59  	*(struct ftrace_ops **)literal <mark>=</mark> ops;`, // the source line
		"    60  \n", // and what is around it
		`\u2260 ops literal FT109`,
		`page made rwx by set_memory_x()`,
		`39 instructions without instruction-cache maintenance`,
		`the slot of ftrace_call has <code>brk #0x100</code>`,
		`2 callsites, 2 of them in reach of ftrace_caller`,
		`the callback is not reached`,
		`Fill the gap with a NOP or a BRK`,
	} {
		want = strings.ReplaceAll(want, `\u2260`, "\u2260")
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if again := htmlOf(t, builders, filepath.Join(builders, "rfc-builder.elf")); again != html {
		t.Error("the page differs when it is made again")
	}
	good := htmlOf(t, builders, filepath.Join(builders, "builder-good.elf"))
	for _, bad := range []string{"cell slot bad", "cell literal bad", "differs\">&#8800;", "<text class=\"mark\"", "badge bad"} {
		if strings.Contains(good, bad) {
			t.Errorf("the page of a good builder has %q", bad)
		}
	}
}

// A finding about a BPF trampoline has its picture: each stretch has a name, the
// instruction to blame is marked, and what happened is said. Without a finding one
// stands among the details.
func TestBPFPage(t *testing.T) {
	html := htmlOf(t, builders, filepath.Join(builders, "bpf-start-late.elf"))
	_, card, _ := strings.Cut(html, `<article class="f error r-FT711"`)
	card, _, _ = strings.Cut(card, "</article>")
	for _, want := range []string{
		`<a href="#g1-1">the trampoline</a>`,
		`It was executed with fentry program 1 skipped.`,
		`class="callout bad">` + "\u2260" + ` FT711</text>`,
		`class="callout">save</text>`, `class="callout">fentry 1</text>`, `class="callout">function</text>`,
		`class="cell common bad"><title>+0x88: mov x1, x20 (fentry 1)</title>`,
		`class="cell slot"><title>`,
	} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q", want)
		}
	}
	for _, style := range stylesOf(card) {
		if !strings.Contains(card, `<i class="`+style+`"></i>`) {
			t.Errorf("there is no legend for %q", style)
		}
	}
	good := htmlOf(t, builders, filepath.Join(builders, "bpf-good.elf"))
	if _, rest, ok := strings.Cut(good, `<h4 id="generated-1">BPF trampolines</h4>`); !ok || !strings.Contains(rest, `>fmod_ret 1</text>`) || strings.Contains(good, "badge bad") {
		t.Error("the page of a good generator has no picture of a trampoline, or one with differences")
	}
}

// stylesOf are the styles of the cells in a picture.
func stylesOf(html string) (styles []string) {
	for _, m := range regexp.MustCompile(`class="cell (\w+)`).FindAllStringSubmatch(html, -1) {
		styles = append(styles, m[1])
	}
	return styles
}

// many is a run with n findings in n/10 functions.
func many(n int) *report.Run {
	rule, _ := rules.Lookup("FT407")
	res := &finding.Result{Path: "vmlinux", Image: &finding.ImageFacts{}, Rules: []finding.RuleRun{{Rule: rule, Findings: n}}}
	for i := range n {
		addr := 0xffff800008014fa0 + uint64(i)*0x40
		symbol := fmt.Sprintf("some_function_%d+%#x", i/10, i%10*0x40)
		res.Findings = append(res.Findings, finding.Finding{
			Place: finding.Place{Path: fmt.Sprintf("kernel/file%d.c", i/100), Line: 10 + i%100, Col: 1, Addr: addr}, Rule: rule,
			Claim: finding.Say("callsite %s (%#x) is not at the entry of a function", symbol, addr).
				Because("no function symbol stands at %#x", addr).
				Because("this is what an overridden weak function leaves behind; ftrace patches it, and shows it under the name of the function before it"),
			Symbol:   symbol,
			Insn:     "nop",
			Identity: finding.Identity{Rule: "FT407", Object: "vmlinux", Symbol: fmt.Sprintf("some_function_%d", i/10), Text: "nop"},
		})
	}
	return &report.Run{Results: []*finding.Result{res}}
}

// 10,000 findings of a rule are some megabytes, and one card.
func TestManyFindings(t *testing.T) {
	html := page(t, many(10_000))
	if got := strings.Count(html, "<article class=\"f "); got != 1 {
		t.Errorf("%d cards on the page", got)
	}
	if got := strings.Count(html, " id=\"FT407-"); got != 10_000 {
		t.Errorf("%d findings on the page", got)
	}
	if !strings.Contains(html, "<summary>9,995 more</summary>") {
		t.Error("the findings are not folded")
	}
	if len(html) > 8<<20 {
		t.Errorf("the page has %d bytes", len(html))
	}
}

// BenchmarkFormats writes 10,000 findings in each format, and reports how many times
// as long as text that takes. scripts/bench-formats measures whole runs, of which none
// may take more than twice as long.
func BenchmarkFormats(b *testing.B) {
	run := many(10_000)
	var text float64 // nanoseconds; text is the first format
	for _, format := range report.Formats {
		b.Run(format.Name, func(b *testing.B) {
			for b.Loop() {
				if err := format.Write(io.Discard, run); err != nil {
					b.Fatal(err)
				}
			}
			each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			if format.Name == "text" {
				text = each
			}
			b.ReportMetric(each/text, "times-text")
		})
	}
}
