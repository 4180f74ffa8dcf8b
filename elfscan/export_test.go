package elfscan

// FindLine is Line without regard to pads: of several lines that a table has
// for addr, the first or the last.
func (im *Image) FindLine(addr uint64, first bool) (Line, bool) { return im.lines().find(addr, first) }
