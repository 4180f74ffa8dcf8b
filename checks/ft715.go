package checks

// FT715 finds code of BPF that instruction fetch need not see.
var FT715 = bpfCheck("FT715", "does not maintain the instruction cache",
	"Call flush_icache_range() for all of the code, behind the last store to it")
