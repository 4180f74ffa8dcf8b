package builder

import (
	"debug/dwarf"

	"github.com/ftlint/ftlint/elfscan"
)

// layoutFromDWARF is the layout of struct module for images without BTF, from
// the compile unit that has the kernel's module_finalize().
func layoutFromDWARF(im *elfscan.Image) (l ModuleLayout, ok bool) {
	defer func() { // debug/dwarf may panic on damage
		if recover() != nil {
			l, ok = ModuleLayout{}, false
		}
	}()
	fn, found := im.Addr("module_finalize")
	if !found {
		return l, false
	}
	d, err := im.TypesAt(fn)
	if err != nil {
		return l, false
	}
	var mod *dwarf.StructType
	// MOD_INIT_TEXT, since "module: replace module_layout with module_memory":
	// compilers leave the enumerators out where nothing is of their type.
	initText := int64(4)
	for r := d.Reader(); ; {
		e, err := r.Next()
		if e == nil || err != nil {
			break
		}
		switch name, _ := e.Val(dwarf.AttrName).(string); e.Tag {
		case dwarf.TagStructType:
			if t, err := d.Type(e.Offset); err == nil && name == "module" {
				if s, isStruct := t.(*dwarf.StructType); isStruct && !s.Incomplete {
					mod = s
				}
			}
		case dwarf.TagEnumerator:
			if v, isInt := e.Val(dwarf.AttrConstValue).(int64); isInt && name == "MOD_INIT_TEXT" {
				initText = v
			}
		case dwarf.TagSubprogram:
			r.SkipChildren()
		}
	}
	if mod == nil {
		return l, false
	}
	l.Size = uint64(mod.ByteSize)
	arch, inArch, ok := member(mod, 0, "arch")
	if !ok {
		return l, false
	}
	plt, pltType, ok := member(inArch, arch, "ftrace_trampolines")
	if !ok {
		return l, false
	}
	l.PLT, l.PLTSize = plt, uint64(pltType.ByteSize)
	l.InitPLT, _, l.HasInitPLT = member(inArch, arch, "init_ftrace_trampolines")
	if mem, inMem, modern := member(mod, 0, "mem"); modern {
		base, _, ok1 := member(inMem, mem, "base")
		size, _, ok2 := member(inMem, mem, "size")
		step := uint64(initText) * uint64(inMem.ByteSize)
		l.TextBase, l.TextSize, l.InitBase, l.InitSize = base, size, base+step, size+step
		return l, ok1 && ok2 && l.PLTSize > 0 && l.plausible()
	}
	ok = l.PLTSize > 0
	for _, part := range []struct {
		name       string
		base, size *uint64
	}{{"core_layout", &l.TextBase, &l.TextSize}, {"init_layout", &l.InitBase, &l.InitSize}} {
		at, in, ok1 := member(mod, 0, part.name)
		var ok2, ok3 bool
		if ok1 {
			*part.base, _, ok2 = member(in, at, "base")
			*part.size, _, ok3 = member(in, at, "text_size")
		}
		ok = ok && ok1 && ok2 && ok3
	}
	return l, ok && l.plausible()
}

// member is where a member lies, in bytes, in a structure that lies at at, and
// the structure that it is, points to or is an array of; an empty one if it is
// none.
func member(in *dwarf.StructType, at uint64, name string) (off uint64, typ *dwarf.StructType, ok bool) {
	for _, f := range in.Field {
		if f.Name != name {
			continue
		}
		typ = &dwarf.StructType{}
		t := f.Type
		for range 8 {
			switch u := t.(type) {
			case *dwarf.PtrType:
				t = u.Type
			case *dwarf.ArrayType:
				t = u.Type
			case *dwarf.TypedefType:
				t = u.Type
			case *dwarf.QualType:
				t = u.Type
			case *dwarf.StructType:
				typ = u
			}
		}
		return at + uint64(f.ByteOffset), typ, true
	}
	return 0, nil, false
}
