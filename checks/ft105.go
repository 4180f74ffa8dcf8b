package checks

// FT105 finds copies that go on past the template's return.
var FT105 = modelCheck("FT105", anywhere("Copy up to the return: slots and the literal are counted from the end"))
