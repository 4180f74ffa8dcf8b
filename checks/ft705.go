package checks

// FT705 finds generators that write outside of their buffer.
var FT705 = bpfCheck("FT705", "writes outside of the buffer that it was given",
	"Write from the start of the buffer to its end, and nowhere else")
