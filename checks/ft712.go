package checks

// FT712 finds patches of BPF's code behind which it does not run right.
var FT712 = bpfCheck("FT712", "breaks the code that it patches",
	"Compare what is patched, ip_after_call, ip_epilogue and the branch at the program's entry, with what execution comes through")
