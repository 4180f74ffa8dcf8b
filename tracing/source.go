package tracing

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
)

// NamedInto is how many functions Inlined names at most.
const NamedInto = 5

const (
	unitsRead  = 64 // compile units that are read: a name may be that of many other things
	inlined    = 1  // DW_INL_inlined
	askedAndIs = 3  // DW_INL_declared_inlined
)

// Inlined says why the kernel has no function of a name: where the source has a function
// of which each call was inlined, and some of the functions that it was inlined into.
// where is "" if DWARF does not say. Inlined reads all of DWARF.
func Inlined(im *elfscan.Image, name string) (where string, into []string) {
	read := 0
	_ = im.EachUnitNaming(name, func(d *dwarf.Data) bool { // an error: DWARF does not say
		defer func() { _ = recover() }() // DWARF is damaged: this unit says nothing
		read++
		if at, declared := abstract(d, name); at != 0 {
			where = declared
			for _, c := range copies(d, at) {
				if !slices.Contains(into, c) {
					into = append(into, c)
				}
			}
		}
		return read < unitsRead && len(into) < NamedInto
	})
	return where, into[:min(len(into), NamedInto)]
}

// NotFunction says what the symbol of a name is, if the name is that of data or of a
// label in code: "a label of ftrace's entry code". It is "" for functions, and for names
// that the kernel does not have.
func (k *Kernel) NotFunction(name string) string {
	s, ok := k.Image.Lookup(name)
	section, in := k.Image.SectionAt(s.Addr)
	isName := func(l arch.Label) bool { return l.Name == name }
	switch {
	case !ok || !in || s.Type == elf.STT_FUNC:
		return ""
	case !section.Executable():
		return "data"
	case slices.ContainsFunc(k.caps.table.Era.Labels, isName), slices.Contains(k.Image.Arch().EntryPoints, name):
		return "a label of ftrace's entry code"
	}
	return "a label in code"
}

// abstract is the entry of a function that is inlined, and where the source has it.
func abstract(d *dwarf.Data, name string) (at dwarf.Offset, where string) {
	r := d.Reader()
	unit, err := r.Next()
	for err == nil {
		var e *dwarf.Entry
		if e, err = r.Next(); err != nil || e == nil || e.Tag == 0 {
			break
		}
		called, _ := e.Val(dwarf.AttrName).(string)
		how, _ := e.Val(dwarf.AttrInline).(int64)
		if e.Tag == dwarf.TagSubprogram && called == name && (how == inlined || how == askedAndIs) {
			return e.Offset, declared(d, unit, e)
		}
		r.SkipChildren()
	}
	return 0, ""
}

// copies are the functions that have a copy of the function whose entry is at an offset.
func copies(d *dwarf.Data, at dwarf.Offset) (into []string) {
	r := d.Reader()
	var around []string // the functions around the entry; "" for other entries
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return into
		}
		called := ""
		switch e.Tag {
		case 0:
			around = around[:max(0, len(around)-1)]
			continue
		case dwarf.TagSubprogram:
			if called, _ = e.Val(dwarf.AttrName).(string); called == "" {
				called = origin(d, e)
			}
		case dwarf.TagInlinedSubroutine:
			if of, _ := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset); of == at {
				i := len(around) - 1
				for i > 0 && around[i] == "" {
					i--
				}
				if i >= 0 && around[i] != "" {
					into = append(into, around[i])
				}
			}
		}
		if e.Children {
			around = append(around, called)
		}
	}
}

// origin is the name of a function that has it in another entry.
func origin(d *dwarf.Data, e *dwarf.Entry) string {
	of, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
	if !ok {
		return ""
	}
	r := d.Reader()
	r.Seek(of)
	o, err := r.Next()
	if err != nil || o == nil {
		return ""
	}
	name, _ := o.Val(dwarf.AttrName).(string)
	return name
}

// declared is where the source has an entry: "include/linux/list.h:37".
func declared(d *dwarf.Data, unit, e *dwarf.Entry) string {
	line, _ := e.Val(dwarf.AttrDeclLine).(int64)
	file, _ := e.Val(dwarf.AttrDeclFile).(int64)
	lr, err := d.LineReader(unit)
	if err != nil || lr == nil {
		return "its source"
	}
	files := lr.Files()
	if file < 0 || file >= int64(len(files)) || files[file] == nil {
		return "its source"
	}
	dir, _ := unit.Val(dwarf.AttrCompDir).(string)
	return fmt.Sprintf("%s:%d", elfscan.SourceName(dir, files[file].Name), line)
}

// WithoutCallsite says why a function has no callsite, as far as its source says: it is
// assembly, or no function of its file has one, or others have. It is "" if DWARF does
// not say.
func (k *Kernel) WithoutCallsite(f *Function) string {
	line, ok := k.Image.Line(f.Addr)
	if !ok {
		return ""
	}
	if strings.HasSuffix(line.File, ".S") {
		return "it is assembly (" + line.File + ")"
	}
	d, err := k.Image.CompileUnit(f.Addr)
	if err != nil || d == nil {
		return ""
	}
	file, with, without := k.callsitesOf(d)
	switch {
	case with > 0:
		return fmt.Sprintf("it is notrace: %d other functions of %s have callsites", with, file)
	case without > 1:
		return fmt.Sprintf("none of the %d functions of %s has a callsite: the file is built without them", without, file)
	}
	return ""
}

// behindNOPs is how far a function may begin before its address in DWARF, in bytes: gcc
// names the instruction behind the NOPs of the callsite.
const behindNOPs = 2 * a64.Size

// callsitesOf counts the functions of a compile unit, a file, with a callsite and
// without one.
func (k *Kernel) callsitesOf(d *dwarf.Data) (file string, with, without int) {
	defer func() { _ = recover() }() // DWARF is damaged: what was counted counts
	at := map[uint64]*Function{}
	for i := range k.Functions {
		at[k.Functions[i].Addr] = &k.Functions[i]
	}
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return file, with, without
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			dir, _ := e.Val(dwarf.AttrCompDir).(string)
			file, _ = e.Val(dwarf.AttrName).(string)
			file = elfscan.SourceName(dir, file)
			continue
		case dwarf.TagSubprogram:
		default:
			r.SkipChildren()
			continue
		}
		lo, ok := e.Val(dwarf.AttrLowpc).(uint64)
		for off := uint64(0); ok && off <= behindNOPs; off += a64.Size {
			if f := at[lo-off]; f != nil && f.Ftrace.Why == Can {
				with++
			} else if f != nil && f.Ftrace.Why == Notrace {
				without++
			}
		}
		r.SkipChildren()
	}
}
