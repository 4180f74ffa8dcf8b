package checks

import "github.com/ftlint/ftlint/builder"

// FT111 finds branches that the builder patches into another place than the
// copy of their slot.
var FT111 = modelCheck("FT111", builder.WrongSlot, ". Count the slot's offset from the start of the copy")
