package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
)

func TestCanLine(t *testing.T) {
	const why = "the kernel has no direct calls"
	list := []finding.Capability{
		{ID: "function", Has: true, Why: "the table has entries"},
		{ID: "direct", Why: "no register_ftrace_direct()", Change: "CALL_OPS"},
		{ID: "fentry", Why: why, Change: "CALL_OPS"},
		{ID: "lsm", Why: why, Change: "CALL_OPS"},
		{ID: "kprobes", Has: true, Why: "register_kprobe()"},
	}
	if got, want := canLine(list), "can: function, kprobes; cannot: direct, fentry lsm (the kernel has no direct calls)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := canLine(nil); got != "" {
		t.Errorf("no capabilities are known: %s", got)
	}
	if got := canLine(list[1:3]); got != "" {
		t.Errorf("a kernel that can nothing: %s", got)
	}
	res := &finding.Result{Path: "vmlinux", Image: &finding.ImageFacts{Era: "regs", Capabilities: list}}
	for format, wants := range map[string][]string{
		"json":  {`"id": "fentry"`, `"has": false`, `"why": "the kernel has no direct calls"`, `"change": "CALL_OPS"`},
		"jsonl": {`{"id":"function","name":"","has":true,"why":"the table has entries"}`},
		"html":  {"What can be traced", "<td>no</td><td>the kernel has no direct calls<br>It needs CALL_OPS.</td>"},
	} {
		f, err := LookupFormat(format)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := f.Write(&b, &Run{Results: []*finding.Result{res}}); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s lacks %s:\n%s", format, want, b.String()[max(0, strings.Index(b.String(), "<body>")):])
			}
		}
	}
}
