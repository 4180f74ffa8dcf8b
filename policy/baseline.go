package policy

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
)

// A Baseline is the set of known findings: a count for each identity. Its file
// has lines of JSON. The first line is a header:
//
//	{"format":"ftlint baseline","version":1}
//	{"rule":"FT407","object":"vmlinux","symbol":"nr_processes","text":"nop","count":1}
//
// The other lines are sorted, so that a merge of two baselines has the lines of
// both. A line that is there twice counts once. A line without a headline, as older
// versions wrote them, is about findings of any.
type Baseline struct {
	Path    string
	entries map[about][]finding.Entry
}

// about is the subject of a verdict: a rule in an object.
type about struct{ rule, object string }

const (
	baselineFormat  = "ftlint baseline"
	baselineVersion = 1
	maxBaseline     = 16 << 20 // bytes
	maxCount        = 1 << 30
)

type baselineHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

type baselineLine struct {
	Rule   string `json:"rule"`
	Object string `json:"object"`
	Symbol string `json:"symbol,omitempty"`
	Text   string `json:"text,omitempty"`

	Headline string `json:"headline,omitempty"` // not there: any
	Count    int    `json:"count"`
}

// ReadBaseline reads the baseline at path. The file must be regular unless named
// says that the command line names it.
func ReadBaseline(path string, named bool) (*Baseline, error) {
	b, err := readBounded(path, maxBaseline, named)
	if err != nil {
		return nil, fmt.Errorf("baseline %w", err)
	}
	return ParseBaseline(path, b)
}

// ParseBaseline reads the text of a baseline. An error names path and line; it
// does not quote the text, which may be of another file.
func ParseBaseline(path string, text []byte) (*Baseline, error) {
	b := &Baseline{Path: path, entries: map[about][]finding.Entry{}}
	fail := func(n int, format string, args ...any) (*Baseline, error) {
		return nil, fmt.Errorf("%s:%d: %s", path, n, fmt.Sprintf(format, args...))
	}
	n, begun := 0, false
	counts := map[finding.Identity]int{}
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			continue
		case !begun || bytes.HasPrefix(line, []byte(`{"format"`)): // a merge may leave two
			var h baselineHeader
			if err := strictJSON(line, &h); err != nil || h.Format != baselineFormat {
				return fail(n, "not a baseline: the file does not begin with {\"format\":%q,\"version\":%d}", baselineFormat, baselineVersion)
			}
			if h.Version != baselineVersion {
				return fail(n, "a baseline of version %d; this ftlint reads version %d", h.Version, baselineVersion)
			}
			begun = true
			continue
		case bytes.HasPrefix(line, []byte("<<<<<<<")), bytes.HasPrefix(line, []byte("=======")), bytes.HasPrefix(line, []byte(">>>>>>>")):
			return fail(n, "a merge left this conflict: write the baseline again, or keep the lines of both sides")
		}
		var l baselineLine
		if err := strictJSON(line, &l); err != nil {
			return fail(n, "not a line of a baseline: want {\"rule\":...,\"object\":...,\"symbol\":...,\"text\":...,\"headline\":...,\"count\":...}")
		}
		switch {
		case l.Rule == "" || l.Object == "":
			return fail(n, "a line without a rule or an object")
		case l.Count < 1 || l.Count > maxCount:
			return fail(n, "the count is %d: want 1 or more", l.Count)
		}
		id := finding.Identity{Rule: l.Rule, Object: l.Object, Symbol: l.Symbol, Text: l.Text, Headline: l.Headline}
		counts[id] = max(counts[id], l.Count)
	}
	if !begun {
		return fail(1, "not a baseline: the file is empty")
	}
	b.add(counts)
	return b, nil
}

// strictJSON reads one value. A key that v does not have is an error.
func strictJSON(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more than one value")
	}
	return nil
}

// NewBaseline returns the baseline that makes the findings of results known,
// except those that are suppressed. Inputs that are the same object (two builds
// of one kernel) share their entries.
func NewBaseline(results []*finding.Result) *Baseline {
	counts := map[finding.Identity]int{}
	for _, res := range results {
		own := map[finding.Identity]int{}
		count := func(list []finding.Finding) {
			for _, f := range list {
				if f.SuppressedBy == nil {
					own[f.Identity]++
				}
			}
		}
		count(res.Findings)
		count(res.Uncounted)
		for id, n := range own {
			counts[id] = max(counts[id], n)
		}
	}
	b := &Baseline{entries: map[about][]finding.Entry{}}
	b.add(counts)
	return b
}

// add adds entries and sorts them.
func (b *Baseline) add(counts map[finding.Identity]int) {
	for id, n := range counts {
		k := about{id.Rule, id.Object}
		b.entries[k] = append(b.entries[k], finding.Entry{Identity: id, Count: n})
	}
	for _, list := range b.entries {
		slices.SortFunc(list, compareEntries)
	}
}

func compareEntries(a, b finding.Entry) int {
	return cmp.Or(
		strings.Compare(a.Object, b.Object),
		strings.Compare(a.Rule, b.Rule),
		strings.Compare(a.Symbol, b.Symbol),
		strings.Compare(a.Text, b.Text),
		strings.Compare(a.Headline, b.Headline),
	)
}

// Entries returns all entries, ordered by object, rule, symbol and text.
func (b *Baseline) Entries() (all []finding.Entry) {
	for _, list := range b.entries {
		all = append(all, list...)
	}
	slices.SortFunc(all, compareEntries)
	return all
}

// Write writes the file of the baseline.
func (b *Baseline) Write(w io.Writer) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	lines := []any{baselineHeader{baselineFormat, baselineVersion}}
	for _, e := range b.Entries() {
		lines = append(lines, baselineLine{e.Rule, e.Object, e.Symbol, e.Text, e.Headline, e.Count})
	}
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
		if buf.Len() > maxBaseline {
			return fmt.Errorf("the baseline has more than %d KiB, too many findings to be known", maxBaseline>>10)
		}
	}
	out := bufio.NewWriter(w)
	if _, err := buf.WriteTo(out); err != nil {
		return err
	}
	return out.Flush()
}
