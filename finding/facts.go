package finding

// ImageFacts is what a summary says of an image.
type ImageFacts struct {
	Object    string // the image as identities name it: "vmlinux", or the name of a module
	Era       string
	Callsites int
	Blank     int    // entries of the callsite table that are zero
	Form      string // how the table's values are stored
	Entries   []NamedAddr
	Template  []string // what a builder would copy, in words
	// LineProblem says why findings lack source lines: "" if they do not.
	LineProblem string
	Module      *ModuleFacts // nil for a kernel image
}

// ModuleFacts is what a summary says of a module.
type ModuleFacts struct {
	Name, Vermagic string // by its .modinfo
	Shape          string // of its callsites
	// Mismatch says why it was judged without the kernel that was given: nil if
	// it was judged with it, or none was given.
	Mismatch error
}

// A NamedAddr is a symbol and its address.
type NamedAddr struct {
	Name string
	Addr uint64
}

// PatchFacts is what a summary says of patches or a source file.
type PatchFacts struct {
	Source  bool // a source file
	Patches int
	Files   int // of all patches
	Judged  int // of these, arm64's C and assembly
	Added   int // lines that were judged
	Notes   []Note
	Touched []Span // by the patches
}

// A Note says what of patches was not read, or not as it stands.
type Note struct {
	Line int // of the input; 0 for all of it
	Text string
}

// A Span is a function that a patch touches, or lines that it adds.
type Span struct {
	Path        string
	First, Last int    // lines of the patched file
	Func        string // the name of the function; "" for lines
}

// Holds reports whether the line of the file is in the span.
func (s Span) Holds(path string, line int) bool {
	return s.Path == path && s.First <= line && line <= s.Last
}
