package checks

// FT111 finds branches that the builder writes to another place than the copy of
// their slot.
var FT111 = modelCheck("FT111", anywhere("Count the slot's offset from the start of the copy"))
