package checks

// FT106 finds PC-relative instructions that are copied unchanged, so that the
// copy aims elsewhere.
var FT106 = modelCheck("FT106", anywhere("Rewrite it for its new address, with a check of the range, or leave it out"))
