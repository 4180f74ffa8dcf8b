package checks

// FT108 executes trampolines and finds those that hand the callback an ops other
// than their own.
var FT108 = modelCheck("FT108", "Load the trampoline's own ops into x2")
