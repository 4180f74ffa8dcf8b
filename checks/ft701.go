package checks

// FT701 finds BPF trampolines whose programs are handed a wrong context.
var FT701 = bpfCheck("FT701", "has programs handed a wrong context",
	"Store the arguments, their number, the function's address and the cookie where programs look for them")
