package checks

import "github.com/ftlint/ftlint/arch"

// FT103 finds trampolines without the template's return.
var FT103 = modelCheck("FT103", func(a *arch.Arch) string {
	if a.AppendsReturn {
		return "Append a return to the copy, or the jump to the return thunk"
	}
	return "Copy up to and with the return"
})
