package checks

// FT110 finds ops literals out of reach of the instruction that loads them.
var FT110 = modelCheck("FT110", anywhere("Keep the literal beside the code, and check the offset, or what the encoder returns"))
