package checks

import "github.com/ftlint/ftlint/builder"

// FT108 executes trampolines and finds those that hand the callback another
// ops.
var FT108 = modelCheck("FT108", builder.OpsWrong, ". Load the trampoline's own ops into x2")
