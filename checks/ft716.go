package checks

// FT716 finds generators of BPF's code that fail badly.
var FT716 = bpfCheck("FT716", "fails badly",
	"Free what was allocated, leave memory as it was, and return the error")
