package checks

// FT710 finds branches of BPF trampolines that land on no landing pad.
var FT710 = bpfCheck("FT710", "has an indirect branch land on no landing pad",
	"Begin what a BR or BLR reaches with BTI, of the kind that accepts the branch, or return by RET")
