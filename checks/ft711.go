package checks

// FT711 finds BPF trampolines that call enter and exit functions wrongly.
var FT711 = bpfCheck("FT711", "has enter and exit functions called wrongly",
	"Call the exit function behind each enter function, with the program, the start time that enter returned, and the run context")
