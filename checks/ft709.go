package checks

// FT709 finds BPF trampolines through which no stack trace comes back.
var FT709 = bpfCheck("FT709", "breaks stack traces",
	"Make a frame record of the caller and one of the traced function, and point x29 at them")
