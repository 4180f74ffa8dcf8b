package checks

// FT703 finds BPF trampolines with a wrong return value.
var FT703 = bpfCheck("FT703", "makes a wrong return value, or calls the function where it must not",
	"Keep the return value behind the arguments, 0 before the first fmod_ret, and load it at the end")
