package checks

// FT702 finds BPF trampolines that lose what the traced function or its caller needs.
var FT702 = bpfCheck("FT702", "has the traced function or its caller lose registers or stack",
	"Save the register or the stack argument, and give it back before the function is called or returned to")
