package report

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/tracing"
)

// Functions are what ftlint functions was asked about.
type Functions struct {
	Path    string // of the kernel image
	Version string // of ftlint
	Image   *finding.ImageFacts
	Kernel  *tracing.Kernel
	List    []tracing.Listed
	All     bool // no names were given: List has all functions
}

// FunctionFormats are the formats of ftlint functions.
var FunctionFormats = []string{"text", "json", "csv"}

// Write writes the answers in one of FunctionFormats.
func (r *Functions) Write(to Terminal, format string) error {
	var err error
	unwritten := to.buffered(func(t Terminal) {
		switch {
		case format == "json":
			err = r.json(t)
		case format == "csv":
			err = r.csv(t)
		case r.All:
			r.counts(t)
		case len(r.List) == 1:
			r.one(t, r.List[0])
		default:
			r.table(t)
		}
	})
	return cmp.Or(unwritten, err)
}

// counts writes what the kernel can do, and for each use how many functions it has and
// why it lacks the others.
func (r *Functions) counts(t Terminal) {
	t.hang(fmt.Sprintf("%s %s", t.paint(bold, printable(r.Path)+":"), kernelFacts(r.Image)))
	for _, line := range capabilityLines(r.Kernel.Capabilities) {
		t.hang("  " + line)
	}
	for _, err := range r.Kernel.Unknown {
		t.hang("  not known: " + OneLine(err.Error()))
	}
	for _, use := range tracing.Uses {
		why := map[tracing.Reason]int{}
		for _, f := range r.List {
			why[f.Answer(use).Why]++
		}
		fmt.Fprintf(t, "\n%s can use %s of %s\n", t.paint(bold, use.String()), plural.Number(why[tracing.Can]), plural.Of(len(r.List), "function"))
		delete(why, tracing.Can)
		var order []tracing.Reason
		for reason := range why {
			order = append(order, reason)
		}
		slices.SortFunc(order, func(a, b tracing.Reason) int {
			if why[a] != why[b] {
				return why[b] - why[a]
			}
			return int(a) - int(b)
		})
		for _, reason := range order {
			t.wrap(fmt.Sprintf("  %8s: ", plural.Number(why[reason])), strings.Repeat(" ", 12), reason.Text())
		}
	}
	if n := len(r.Kernel.Stray); n > 0 {
		fmt.Fprintf(t, "\n%s of no function: what is left of weak functions that others override\n", plural.Of(n, "callsite"))
	}
	fmt.Fprintf(t, "\nName functions to see the answer for each: ftlint functions %s vfs_read 'tcp_*'\n", printable(r.Path))
}

// one writes the answers about one function: in a sentence, then for each use, then
// what would change the answer.
func (r *Functions) one(t Terminal, f tracing.Listed) {
	in := ""
	if f.Module != "" {
		in = " of module " + printable(f.Module)
	}
	says := sentence(f.Function)
	if f.Ftrace.Why == tracing.Notrace && f.Module == "" {
		if why := r.Kernel.WithoutCallsite(f.Function); why != "" {
			says = "cannot be traced: " + OneLine(why)
		}
	}
	t.wrap(t.paint(bold, printable(f.Name)+"()")+" ", "  ", in+" "+says)
	where := fmt.Sprintf("at %#x", f.Addr)
	if f.Call != 0 {
		where += fmt.Sprintf(", the call of its callsite at +%#x", f.Call-f.Addr)
	}
	if f.Same > 0 {
		where += "; " + plural.Of(f.Same, "other function") + " of its name"
	}
	t.wrap("  ", "    ", where)
	said := map[string]bool{}
	for _, use := range tracing.Uses {
		a := f.Answer(use)
		line := answerOf(use, a)
		if c, ok := r.capability(use); ok && a.OfKernel() && !said[c.ID] {
			said[c.ID] = true
			line += "; it needs " + c.Change
		}
		t.wrap(fmt.Sprintf("  %-9v  ", use), strings.Repeat(" ", 13), t.answer(line))
	}
	if !f.Fentry.OK() && f.Kprobe.OK() {
		fmt.Fprintf(t, "  in place of fentry a kprobe works: bpftrace -e 'kprobe:%s { ... }'\n", printable(f.Name))
	}
}

// Missing says why an image has no function of a name, as far as symbols or DWARF say
// it. all are its functions. Missing reads all of DWARF, unless a symbol has the name.
func Missing(k *tracing.Kernel, all []tracing.Listed, name string) string {
	s := fmt.Sprintf("%s: %s has no function of this name", printable(name), printable(k.Image.Path))
	if strings.ContainsAny(name, "*?[") {
		return s
	}
	if what := k.NotFunction(name); what != "" {
		return s + ": it is " + what
	}
	if where, into := tracing.Inlined(k.Image, name); where != "" {
		s += fmt.Sprintf(": each call of %s() (%s) was inlined", printable(name), OneLine(where))
		if len(into) > 0 {
			s += ", into " + OneLine(strings.Join(into, ", "))
		}
		if len(into) == tracing.NamedInto {
			s += " among others"
		}
		return s
	}
	const few = 4
	var near []string
	for _, f := range all {
		if strings.Contains(f.Name, name) && !slices.Contains(near, f.Name) {
			near = append(near, f.Name)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return len(a) - len(b) })
	if len(near) > 0 {
		s += "; it has " + OneLine(strings.Join(near[:min(few, len(near))], ", "))
	} else if !slices.ContainsFunc(all, func(f tracing.Listed) bool { return f.Module != "" }) {
		s += "; name the modules, too, if it is a module's"
	}
	return s
}

// sentence says what can use a function or, if nothing can, why not.
func sentence(f *tracing.Function) string {
	var can []string
	for _, use := range tracing.Uses {
		if f.Answer(use).OK() {
			can = append(can, use.String())
		}
	}
	switch n := len(can); n {
	case 0:
		return "cannot be traced: " + OneLine(f.Ftrace.Text())
	case 1:
		return "can be used by " + can[0]
	default:
		return "can be used by " + strings.Join(can[:n-1], ", ") + " and " + can[n-1]
	}
}

// answer colours an answer that begins with yes or no.
func (t Terminal) answer(text string) string {
	for word, color := range map[string]string{"yes": green, "no": red} {
		if rest, ok := strings.CutPrefix(text, word); ok && (rest == "" || rest[0] == ':') {
			return t.paint(color, word) + rest
		}
	}
	return text
}

// capability is what the kernel needs for a use.
func (r *Functions) capability(use tracing.Use) (c finding.Capability, ok bool) {
	i := slices.IndexFunc(r.Kernel.Capabilities, func(c finding.Capability) bool { return c.ID == use.Capability() })
	if i < 0 {
		return c, false
	}
	return r.Kernel.Capabilities[i], true
}

// answerOf is an answer in words: "yes", "no: ...", with the number of the error that
// attaching a BPF program fails with.
func answerOf(use tracing.Use, a tracing.Answer) string {
	switch {
	case a.OK():
		return "yes"
	case a.Why == tracing.Unknown:
		return OneLine(a.Text())
	case errno(use, a) != 0:
		return fmt.Sprintf("no: %s (attaching fails with -%d)", OneLine(a.Text()), errno(use, a))
	}
	return "no: " + OneLine(a.Text())
}

// errno is the number of the error that attaching a BPF program fails with; 0 if none is
// known, or if the use is not BPF's.
func errno(use tracing.Use, a tracing.Answer) int {
	switch use {
	case tracing.Fentry, tracing.Fexit, tracing.FmodRet:
		return a.Errno()
	}
	return 0
}

// table writes a line for each function: yes or no for each use, then why not. Uses
// that the kernel has no means for have no column.
func (r *Functions) table(t Terminal) {
	var uses []tracing.Use
	for _, use := range tracing.Uses {
		if c, ok := r.capability(use); ok && c.Has {
			uses = append(uses, use)
		} else {
			t.wrap(fmt.Sprintf("# no %v: ", use), "#   ", OneLine(c.Why))
		}
	}
	width := len("function")
	names := make([]string, len(r.List))
	for i, f := range r.List {
		names[i] = printable(f.Name)
		if f.Module != "" {
			names[i] += " [" + printable(f.Module) + "]"
		}
		width = max(width, len(names[i]))
	}
	head := fmt.Sprintf("%-*s", width, "function")
	for _, use := range uses {
		head += "  " + use.String()
	}
	fmt.Fprintln(t, t.paint(bold, head+"  why not"))
	for i, f := range r.List {
		line := fmt.Sprintf("%-*s", width, names[i])
		for _, use := range uses {
			mark := "no"
			switch a := f.Answer(use); {
			case a.OK():
				mark = "yes"
			case a.Why == tracing.Unknown:
				mark = "?"
			}
			line += "  " + t.answer(mark) + strings.Repeat(" ", max(len(use.String())-len(mark), 0))
		}
		t.hang(strings.TrimRight(line+"  "+whyNot(f.Function, uses), " "))
	}
}

// whyNot are the reasons why a function cannot be used, each with the uses that it
// keeps from it: "fentry, fexit: BTF does not describe it". That its return value may
// not be changed, which holds for nearly all functions, is left out.
func whyNot(f *tracing.Function, uses []tracing.Use) string {
	var order []string
	by := map[string][]string{}
	for _, use := range uses {
		if a := f.Answer(use); !a.OK() && a.Why != tracing.Unmodified {
			text := OneLine(a.Text())
			if by[text] == nil {
				order = append(order, text)
			}
			by[text] = append(by[text], use.String())
		}
	}
	for i, text := range order {
		order[i] = strings.Join(by[text], ", ") + ": " + text
	}
	return strings.Join(order, "; ")
}

// csv writes a row for each function: for each use "yes" or the ID of the reason, then
// the reasons in words.
func (r *Functions) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	row := []string{"function", "module", "address"}
	for _, use := range tracing.Uses {
		row = append(row, use.String())
	}
	_ = c.Write(append(row, "why not")) // Error returns what went wrong
	for _, f := range r.List {
		row = append(row[:0], printable(f.Name), printable(f.Module), fmt.Sprintf("%#x", f.Addr))
		for _, use := range tracing.Uses {
			row = append(row, f.Answer(use).Why.String())
		}
		_ = c.Write(append(row, whyNot(f.Function, tracing.Uses)))
	}
	c.Flush()
	return c.Error()
}

type jsonFunction struct {
	Name     string `json:"name"`
	Module   string `json:"module,omitempty"`
	Address  string `json:"address"`
	Callsite string `json:"callsite,omitempty"` // address of its call
	BTF      uint32 `json:"btf_id,omitempty"`
	Same     int    `json:"same_name,omitempty"` // other functions of its name

	Ftrace    jsonAnswer `json:"ftrace"`
	Fentry    jsonAnswer `json:"fentry"`
	Fexit     jsonAnswer `json:"fexit"`
	FmodRet   jsonAnswer `json:"fmod_ret"`
	Kprobe    jsonAnswer `json:"kprobe"`
	Livepatch jsonAnswer `json:"livepatch"`
}

type jsonAnswer struct {
	Can    string `json:"can"` // yes, no, unknown
	Reason string `json:"reason,omitempty"`
	Why    string `json:"why,omitempty"`
	Errno  int    `json:"errno,omitempty"`
}

func jsonAnswerOf(f tracing.Listed, use tracing.Use) jsonAnswer {
	a := f.Answer(use)
	switch {
	case a.OK():
		return jsonAnswer{Can: "yes"}
	case a.Why == tracing.Unknown:
		return jsonAnswer{Can: "unknown", Reason: a.Why.String(), Why: a.Text()}
	}
	return jsonAnswer{"no", a.Why.String(), a.Text(), errno(use, a)}
}

// json writes one JSON document, with a function a line.
func (r *Functions) json(w io.Writer) error {
	head, err := json.Marshal(struct {
		Schema       int              `json:"schema"`
		Version      string           `json:"ftlint"`
		Path         string           `json:"path"`
		Release      string           `json:"release,omitempty"`
		BuildID      string           `json:"build_id,omitempty"`
		Era          string           `json:"era"`
		Capabilities []jsonCapability `json:"capabilities"`
		Unknown      []string         `json:"unknown,omitempty"` // what could not be executed, and why
	}{SchemaVersion, r.Version, r.Path, r.Image.Release, r.Image.BuildID, r.Image.Era, capabilitiesOf(r.Kernel.Capabilities), texts(r.Kernel.Unknown)})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s,\"functions\":[", head[:len(head)-1])
	for i, f := range r.List {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintln(w)
		j := jsonFunction{Name: f.Name, Module: f.Module, Address: fmt.Sprintf("%#x", f.Addr), BTF: f.BTF, Same: f.Same,
			Ftrace: jsonAnswerOf(f, tracing.Ftrace), Fentry: jsonAnswerOf(f, tracing.Fentry), Fexit: jsonAnswerOf(f, tracing.Fexit),
			FmodRet: jsonAnswerOf(f, tracing.FmodRet),
			Kprobe:  jsonAnswerOf(f, tracing.Kprobe), Livepatch: jsonAnswerOf(f, tracing.Livepatch)}
		if f.Call != 0 {
			j.Callsite = fmt.Sprintf("%#x", f.Call)
		}
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}
