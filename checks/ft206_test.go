package checks

import (
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
)

// What FT206 says of a callsite is so: a callsite that is enabled is not said to
// be one that could be, nor a target out of reach to be in reach.
func TestBorderMessages(t *testing.T) {
	const nop = a64.NOP
	bl, _ := a64.EncodeBL(0x1000, 0x2000)
	call, maker := "ftrace_make_call", "aarch64_insn_gen_branch_imm"
	in, out := int64(128<<20-4), int64(128<<20)
	for _, test := range []struct {
		b    callsite.Border
		want string
	}{
		{callsite.Border{Func: call, Distance: in, Reachable: true, Returned: -22, Got: nop, Kept: true},
			"returns -22 and leaves d503201f (nop); BL reaches -0x8000000..+0x7fffffc, so it must call the target and return 0"},
		{callsite.Border{Func: call, Distance: in, Reachable: true, Returned: 0, Got: nop, Kept: true},
			"returns 0 and leaves d503201f (nop); BL reaches -0x8000000..+0x7fffffc, so it must call the target and return 0"},
		{callsite.Border{Func: call, Distance: in, Reachable: true, Returned: 0, Got: bl},
			"(a BL elsewhere); BL reaches -0x8000000..+0x7fffffc, so it must call the target and return 0"},
		{callsite.Border{Func: call, Distance: in, Reachable: true, Returned: -22, Got: bl, Calls: true},
			"returns -22 and leaves 94000400 (a BL to the target); the callsite is enabled, so it must return 0"},
		{callsite.Border{Func: call, Distance: in, Reachable: true, Returned: 0, Got: bl, Enabled: true},
			"(a BL to ftrace_caller); BL reaches -0x8000000..+0x7fffffc, so the callsite need not be enabled through ftrace_caller"},
		{callsite.Border{Func: call, Distance: in, Reachable: true, Returned: -22, Got: bl, Enabled: true},
			"(a BL to ftrace_caller); BL reaches -0x8000000..+0x7fffffc, so it must call the target and return 0"},
		{callsite.Border{Func: call, Distance: out, Returned: 0, Got: nop, Kept: true},
			"returns 0 and leaves d503201f (nop); BL reaches -0x8000000..+0x7fffffc, so it must refuse or go through a PLT"},
		{callsite.Border{Func: call, Distance: out, Returned: -22, Got: bl},
			"returns -22 and leaves 94000400 (a BL elsewhere); it refuses, so it must leave the callsite as it was"},
		{callsite.Border{Func: call, Distance: out, Returned: -22, Got: bl, Enabled: true},
			"(a BL to ftrace_caller); it refuses, so it must leave the callsite as it was"},
		{callsite.Border{Func: call, Distance: out, Returned: -22, Got: nop, Kept: true, Routed: true},
			"so it must take ftrace_caller here and return 0"},
		{callsite.Border{Func: maker, Distance: in, Reachable: true, Got: 0xd4202000},
			"makes d4202000 (brk #0x100); BL reaches -0x8000000..+0x7fffffc, so it must make a branch to the target"},
		{callsite.Border{Func: maker, Distance: out, Got: bl},
			"(a BL elsewhere); BL reaches -0x8000000..+0x7fffffc, so it must make a BRK"},
		{callsite.Border{Func: call, Distance: out, Diffs: []string{"writes elsewhere"}}, "writes elsewhere"},
	} {
		if got := strings.Join(wrongAt(&test.b).Evidence, "; "); !strings.HasSuffix(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.b, got, test.want)
		}
	}
}
