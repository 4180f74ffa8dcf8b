package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs testdata/script/*.txtar: what a user types, and what comes
// of it. $SAMPLES is testdata/vmlinux-samples. Beside the usual commands there
// are
//
//	lines FILE N                 FILE (stdout, stderr) has N lines
//	json FILE PATH=VALUE...      FILE is JSON that has these values:
//	                             inputs.0.findings.len=6 counts a list
//	control FILE                 FILE has an escape character; ! for none
func TestScript(t *testing.T) {
	samples, err := filepath.Abs("../../testdata/vmlinux-samples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SAMPLES", samples)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lines":   countLines,
			"json":    checkJSON,
			"control": checkControl,
		},
	})
}

func countLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, "\n"); args[1] != strconv.Itoa(n) || text != "" && !strings.HasSuffix(text, "\n") {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[0], n, args[1], text)
	}
}

func checkControl(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: control FILE")
	}
	if strings.ContainsRune(ts.ReadFile(args[0]), '\x1b') == neg {
		ts.Fatalf("escape characters: want %v", !neg)
	}
}

func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: json FILE PATH=VALUE...")
	}
	var doc any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc); err != nil {
		ts.Fatalf("%s is no JSON: %v", args[0], err)
	}
	for _, arg := range args[1:] {
		path, want, _ := strings.Cut(arg, "=")
		v := doc
		for _, key := range strings.Split(path, ".") {
			switch at := v.(type) {
			case map[string]any:
				v = at[key]
			case []any:
				if i, err := strconv.Atoi(key); err == nil && i < len(at) {
					v = at[i]
				} else if key == "len" {
					v = len(at)
				} else {
					v = nil
				}
			}
		}
		got, err := json.Marshal(v)
		if err != nil {
			ts.Fatalf("%s: %v", path, err)
		}
		if s := strings.Trim(string(got), `"`); s != want {
			ts.Fatalf("%s is %s, want %s", path, s, want)
		}
	}
}
