package checks

// FT103 finds trampolines without the template's return.
var FT103 = modelCheck("FT103", "Copy up to and with the return")
