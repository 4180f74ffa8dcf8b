package checks

// FT704 finds generators that emit more than they have computed.
var FT704 = bpfCheck("FT704", "emits more than was computed",
	"Compute the size with the flags, addresses and lists that the code is emitted for")
