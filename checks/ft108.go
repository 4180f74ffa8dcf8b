package checks

import "github.com/ftlint/ftlint/arch"

// FT108 executes trampolines and finds those that hand the callback an ops other
// than their own.
var FT108 = modelCheck("FT108", func(a *arch.Arch) string { return "Load the trampoline's own ops into " + a.OpsArg })
