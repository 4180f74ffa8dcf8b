package checks

// FT110 finds literals that their load does not reach.
var FT110 = modelCheck("FT110", ". Keep the literal beside the code, and check the offset, or what the encoder returns")
