package checks

import "github.com/ftlint/ftlint/bpf"

// FT716 finds generators of BPF's code that fail badly.
var FT716 = bpfCheck("FT716", "fails badly",
	"Free what was allocated, leave memory as it was, and return the error", bpf.Failing)
