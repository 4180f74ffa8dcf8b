package checks

// FT105 finds copies that go on past the template's return.
var FT105 = modelCheck("FT105", ". Call slots and the literal are counted from the end: copy up to the return")
