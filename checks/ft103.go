package checks

import "github.com/ftlint/ftlint/builder"

// FT103 finds trampolines without the template's return.
var FT103 = modelCheck("FT103", builder.MissesReturn, ". Copy up to and with the return")
