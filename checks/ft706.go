package checks

// FT706 finds branches of BPF's code that do not arrive where something is far away.
var FT706 = bpfCheck("FT706", "has a branch not arrive at what is far away",
	"Load the address into a register and branch there, or go through the program's PLT, where a branch does not reach")
