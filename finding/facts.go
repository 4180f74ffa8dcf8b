package finding

// ImageFacts are what a summary says about an image.
type ImageFacts struct {
	Object    string // the image as identities name it: "vmlinux", or the name of a module
	Release   string // of the kernel: "6.12.9-arm64"; "" if the image does not say
	Compiler  string // that built the kernel; "" if the image does not say
	Version   string // of the build, with its date: "#1 SMP PREEMPT Thu Jan  2 15:04:05 UTC 2025"; "" if the image does not say
	BuildID   string // hexadecimal; "" if the image has none
	Era       string
	Callsites int
	Blank     int    // zero entries of the callsite table
	Form      string // how the table's values are stored
	Entries   []NamedAddr
	Template  []string // what a builder would copy, in words
	// LineProblem says why findings lack source lines; "" if they have them.
	LineProblem string
	Module      *ModuleFacts // nil for a kernel image

	Capabilities []Capability // of a kernel image; nil if they are not known
}

// A Capability is one thing that a kernel can do, or cannot.
type Capability struct {
	ID     string // "fentry"
	Name   string // "BPF fentry and fexit"
	Has    bool
	Why    string // what in the image says so
	Change string // what would change it; "" for nothing
}

// ModuleFacts are what a summary says about a module.
type ModuleFacts struct {
	Name, Vermagic string // from its .modinfo
	Shape          string // of its callsites
	Kernel         string // path of the kernel image that it was judged with; "" for none
	// Mismatch says why the module was judged without the kernel that was given;
	// nil if it was judged with that kernel, or if no kernel was given.
	Mismatch error
}

// A NamedAddr is a symbol and its link-time virtual address.
type NamedAddr struct {
	Name string
	Addr uint64
}

// PatchFacts are what a summary says about patches or a source file.
type PatchFacts struct {
	Source  bool     // the input is a source file
	Patches int      // 0 also for an input that was passed over, as a cover letter
	Files   int      // of all patches
	Judged  int      // files that are C or assembly of an architecture that is judged
	Archs   []string // the architectures of these files, each once
	Added   int      // lines that were judged
	Notes   []Note
	Touched []Span // what the patches touch
}

// A Note names a part of the patches that was skipped, or was not read literally.
type Note struct {
	Line int // of the input; 0 for the input as a whole
	Text string
}

// A Span is a function that a patch touches, or a run of lines that a patch adds.
type Span struct {
	Path        string
	First, Last int    // lines of the patched file
	Func        string // the name of the function; "" for a run of lines
}

// Holds reports whether the line of the file is in the span.
func (s Span) Holds(path string, line int) bool {
	return s.Path == path && s.First <= line && line <= s.Last
}
