package bpf

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/ktypes"
)

// A Traceable is a prototype of functions with a callsite.
type Traceable struct {
	Proto Proto
	Funcs []string // the functions, by name
	Why   string   // not "": the core of BPF does not attach programs to such functions, for this reason
}

// Traceables are the distinct prototypes that the functions with a callsite have in
// BTF, by the first function of each.
func (k *Kernel) Traceables() (list []Traceable, err error) {
	type known struct {
		proto Proto
		why   string
	}
	byID, byText := map[uint32]known{}, map[string]int{}
	for _, f := range k.Types.Functions() {
		if fn, ok := k.Image.Addr(f.Name); !ok || !k.isTraced(fn) {
			continue
		}
		p, ok := byID[f.Proto]
		if !ok {
			in, err := f.Prototype()
			if err != nil {
				continue // types that the reader does not know
			}
			if p.proto, p.why, err = k.protoOf(in); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			byID[f.Proto] = p
		}
		key := fmt.Sprint(p)
		i, ok := byText[key]
		if !ok {
			i = len(list)
			byText[key] = i
			list = append(list, Traceable{Proto: p.proto, Why: p.why})
		}
		list[i].Funcs = append(list[i].Funcs, f.Name)
	}
	for i := range list {
		slices.Sort(list[i].Funcs)
	}
	slices.SortFunc(list, func(a, b Traceable) int { return cmp.Compare(a.Funcs[0], b.Funcs[0]) })
	return list, nil
}

// isTraced reports whether the function at fn has a callsite.
func (k *Kernel) isTraced(fn uint64) bool {
	shape := k.Table.Shape
	if shape == nil || !shape.SavesLR {
		return false
	}
	i, ok := slices.BinarySearch(k.Table.Addrs, fn-shape.Literal)
	if ok {
		return true
	}
	return i < len(k.Table.Addrs) && k.Table.Site(k.Table.Addrs[i]).Func == fn
}

// maxSize is the most bytes of an argument: see btf_distill_func_proto() of
// kernel/bpf/btf.c.
const maxSize = 16

// protoOf is a prototype as the core of BPF gives it to the generator: see
// btf_distill_func_proto(). why says why the core refuses it.
func (k *Kernel) protoOf(p ktypes.Prototype) (proto Proto, why string, err error) {
	switch ret := p.Result; {
	case p.Variadic:
		return proto, "a variable number of arguments", nil
	case len(p.Params) > k.MaxArgs():
		return proto, fmt.Sprintf("more than %d arguments", k.MaxArgs()), nil
	case ret.Kind == ktypes.Struct || ret.Kind == ktypes.Union:
		return proto, "a structure as its result", nil
	default:
		proto.Ret = int(min(ret.Size, maxSize))
	}
	for _, param := range p.Params {
		size := param.Type.Size
		switch {
		case size > maxSize:
			return Proto{}, fmt.Sprintf("an argument of more than %d bytes", maxSize), nil
		case size == 0:
			return Proto{}, "an argument without a size", nil
		}
		arg := Arg{Size: int(size), Struct: param.Type.Kind == ktypes.Struct || param.Type.Kind == ktypes.Union}
		if arg.Wide, err = k.isWide(param.Type, 0); err != nil {
			return proto, "", err
		}
		proto.Args = append(proto.Args, arg)
	}
	return proto, "", nil
}

// isWide reports whether a type is aligned to 16 bytes, as __int128 is.
func (k *Kernel) isWide(t ktypes.Type, depth int) (bool, error) {
	const deepest = 4 // structures of 16 bytes have no deeper
	switch {
	case t.Kind == ktypes.Int:
		return t.Size == 16, nil
	case depth == deepest || t.Kind != ktypes.Struct && t.Kind != ktypes.Union && t.Kind != ktypes.Array:
		return false, nil
	case t.Kind == ktypes.Array:
		elem, err := k.Types.Elem(t)
		if err != nil {
			return false, err
		}
		return k.isWide(elem, depth+1)
	}
	members, err := k.Types.Members(t)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if wide, err := k.isWide(m.Type, depth+1); wide || err != nil {
			return wide, err
		}
	}
	return false, nil
}
