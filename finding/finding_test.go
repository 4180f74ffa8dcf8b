package finding_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
)

// A limit lets so many findings of each rule through; one of 0 lets all.
func TestLimit(t *testing.T) {
	for _, c := range []struct {
		most  int
		take  []string
		want  []bool
		taken map[string]int
	}{
		{2, []string{"FT101", "FT101", "FT102", "FT101", "FT102", "FT102"}, []bool{true, true, true, false, true, false}, map[string]int{"FT101": 2, "FT102": 2, "FT103": 0}},
		{1, []string{"FT101", "FT101"}, []bool{true, false}, map[string]int{"FT101": 1}},
		{0, []string{"FT101", "FT101", "FT101"}, []bool{true, true, true}, map[string]int{"FT101": 3}},
	} {
		l := finding.Limit{Most: c.most}
		if l.Full(c.take[0]) || l.Taken(c.take[0]) != 0 {
			t.Errorf("limit %d is full from the start", c.most)
		}
		for i, id := range c.take {
			if full := l.Full(id); full == c.want[i] {
				t.Errorf("limit %d, finding %d of %v: full %v", c.most, i, c.take, full)
			}
			if got := l.Take(id); got != c.want[i] {
				t.Errorf("limit %d, finding %d of %v: taken %v", c.most, i, c.take, got)
			}
		}
		for id, want := range c.taken {
			if got := l.Taken(id); got != want {
				t.Errorf("limit %d: %d findings of %s are taken, want %d", c.most, got, id, want)
			}
		}
	}
}

// A fingerprint is that of all parts of an identity, each in its place.
func TestFingerprint(t *testing.T) {
	id := finding.Identity{Rule: "FT101", Object: "vmlinux", Symbol: "ftrace_caller", Text: "ret"}
	print := id.Fingerprint()
	if !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(print) {
		t.Errorf("%q is not 32 hexadecimal digits", print)
	}
	// Baselines and reports of earlier runs have it.
	if want := "ba83a3970f42fad76bb976d9189f739d"; print != want {
		t.Errorf("%s, which was %s before", print, want)
	}
	seen := map[string]finding.Identity{print: id}
	for _, other := range []finding.Identity{
		{Rule: "FT102", Object: "vmlinux", Symbol: "ftrace_caller", Text: "ret"},
		{Rule: "FT101", Object: "ext4", Symbol: "ftrace_caller", Text: "ret"},
		{Rule: "FT101", Object: "vmlinux", Symbol: "ftrace_regs_caller", Text: "ret"},
		{Rule: "FT101", Object: "vmlinux", Symbol: "ftrace_caller", Text: "nop"},
		{Rule: "FT101", Object: "vmlinux", Symbol: "ftrace_caller", Text: "ret", Headline: "ret"},
		{Rule: "FT101", Object: "vmlinux", Symbol: "ftrace_caller", Headline: "ret"},
		{Rule: "FT101", Object: "vmlinux", Symbol: "", Text: "ftrace_callerret"},
		{Rule: "FT101", Object: "vmlinux", Symbol: "ftrace_callerret", Text: ""},
		{Rule: "FT101vmlinux", Object: "", Symbol: "ftrace_caller", Text: "ret"},
	} {
		if same, ok := seen[other.Fingerprint()]; ok {
			t.Errorf("%+v has the fingerprint of %+v", other, same)
		}
		seen[other.Fingerprint()] = other
	}
}

// An identity in a file has an object, and no bytes that are no text. Its rule is
// ftlint's own.
func TestValid(t *testing.T) {
	for _, c := range []struct{ id, want finding.Identity }{
		{finding.Identity{Rule: "FT101", Object: "vmlinux", Symbol: "a", Text: "b"}, finding.Identity{Rule: "FT101", Object: "vmlinux", Symbol: "a", Text: "b"}},
		{finding.Identity{Rule: "FT101"}, finding.Identity{Rule: "FT101", Object: "?"}},
		{finding.Identity{Object: "m\xff", Symbol: "\x80s", Text: "t\xc3"}, finding.Identity{Object: "m\ufffd", Symbol: "\ufffds", Text: "t\ufffd"}},
		{finding.Identity{Object: "m", Symbol: "größe"}, finding.Identity{Object: "m", Symbol: "größe"}},
	} {
		before := c.id
		if got := c.id.Valid(); got != c.want || c.id != before {
			t.Errorf("%+q: %+q, want %+q", before, got, c.want)
		}
	}
}

// What another build changes is left out of an identity's text.
func TestWithoutNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"bl ftrace_caller+0x10":                  "bl ftrace_caller#",
		"ldr x2, [x3, #16]":                      "ldr x2, [x3, #]",
		"ldr x2, [x3, #-16]":                     "ldr x2, [x3, #]",
		"12 of 300 callsites, at 0xffff80008001": "# of # callsites, at #",
		"  mov\tx0,   x1 \n":                     "mov x0, x1",
		"ftrace_call2 and x29":                   "ftrace_call2 and x29",
		"it leaves d503201f, not aa1e03e9":       "it leaves #, not #",
		"":                                       "",
	} {
		if got := finding.WithoutNumbers(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := finding.OneBlank(" a\t\n b  "); got != " a b " {
		t.Errorf("%q", got)
	}
}

// A span has its first and its last line, and those of no other file.
func TestSpan(t *testing.T) {
	s := finding.Span{Path: "a.c", First: 10, Last: 12, Func: "f"}
	for _, c := range []struct {
		path string
		line int
		want bool
	}{{"a.c", 9, false}, {"a.c", 10, true}, {"a.c", 11, true}, {"a.c", 12, true}, {"a.c", 13, false}, {"b.c", 11, false}, {"", 11, false}} {
		if got := s.Holds(c.path, c.line); got != c.want {
			t.Errorf("%s:%d: %v", c.path, c.line, got)
		}
	}
}

// Findings are in the order of their places: path, line, column, address; then
// of rule and message.
func TestCompare(t *testing.T) {
	severity := rules.Note
	at := func(path string, line, col int, addr uint64, rule, message string) finding.Finding {
		return finding.Finding{Place: finding.Place{Path: path, Line: line, Col: col, Addr: addr}, Rule: rules.Rule{ID: rule, Severity: severity}, Claim: finding.Claim{Headline: message}}
	}
	severity = rules.Error
	ordered := []finding.Finding{at("z", 9, 9, 9, "FT9", "z")}
	severity = rules.Warning
	ordered = append(ordered,
		at("z", 9, 9, 9, "FT1", "z"),
		at("a", 9, 9, 9, "FT2", "z"),
		at("b", 1, 9, 9, "FT2", "z"),
		at("b", 2, 1, 9, "FT2", "z"),
		at("b", 2, 2, 1, "FT2", "z"),
		at("b", 2, 2, 2, "FT2", "a"),
		at("b", 2, 2, 2, "FT2", "b"))
	severity = rules.Note
	ordered = append(ordered, at("a", 1, 1, 1, "FT1", "a"))
	for i := range ordered {
		for j := range ordered {
			got, want := finding.Compare(ordered[i], ordered[j]), 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got != want {
				t.Errorf("%v and %v: %d", ordered[i].Place, ordered[j].Place, got)
			}
		}
	}
}

// Of many findings the limit keeps those with the lowest addresses, in whatever
// order they come.
func TestKeep(t *testing.T) {
	at := func(addr uint64) finding.Finding {
		return finding.Finding{Rule: rules.Rule{ID: "FT401"}, Place: finding.Place{Addr: addr}}
	}
	other := finding.Finding{Rule: rules.Rule{ID: "FT402"}, Place: finding.Place{Addr: 9}}
	for _, c := range []struct {
		list []finding.Finding
		want []bool
	}{
		{[]finding.Finding{at(3), at(1), other, at(2)}, []bool{false, true, true, true}},
		{[]finding.Finding{at(1), at(2), at(3)}, []bool{true, true, false}},
		{nil, []bool{}},
	} {
		l := finding.Limit{Most: 2}
		if got := l.Keep(c.list); !slices.Equal(got, c.want) {
			t.Errorf("of %v are kept %v, want %v", c.list, got, c.want)
		}
	}
	if got := new(finding.Limit).Keep([]finding.Finding{at(1), at(2)}); !slices.Equal(got, []bool{true, true}) {
		t.Errorf("without a limit are kept %v", got)
	}
}
