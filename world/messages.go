package world

import (
	"debug/elf"
	"fmt"
	"strings"
)

// soh begins a message that has a level, KERN_SOH.
const soh = 1

// BadMessage says what is wrong with a message that the kernel is to print; "" if
// nothing is. format and the arguments of %s must be addresses of strings, the
// arguments of %ps and %pS must be addresses of code. On a path that is seldom
// taken a bad message stays unnoticed until it crashes the kernel.
func (w *World) BadMessage(format uint64, args []uint64) string {
	f, ok := w.message(format)
	if !ok {
		return fmt.Sprintf("the format at %#x is not a string", format)
	}
	n := 0
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			continue
		}
		for i++; i < len(f) && strings.IndexByte("0123456789l#-.z*", f[i]) >= 0; i++ {
		}
		if i >= len(f) || f[i] == '%' || n >= len(args) {
			continue
		}
		arg := args[n]
		n++
		symbol := f[i] == 'p' && i+1 < len(f) && (f[i+1] == 's' || f[i+1] == 'S')
		switch _, isString := w.message(arg); {
		case f[i] == 's' && !isString:
			return fmt.Sprintf("%q: %%s of %#x, which is not the address of a string", f, arg)
		case symbol && !w.Image.IsText(arg):
			return fmt.Sprintf("%q: %%ps of %#x, which is not the address of code", f, arg)
		}
	}
	return ""
}

// BadRateLimit says what is wrong with the arguments of ___ratelimit(); "" if
// nothing is. state must be the address of an object in the image's data, name
// that of a string.
func (w *World) BadRateLimit(state, name uint64) string {
	im := w.Image
	r, ok := im.SectionAt(state)
	s, named := im.SymbolAt(state)
	inside := named && s.Type == elf.STT_OBJECT && state != s.Addr && state < s.End() // in another object
	if !ok || r.Executable() || r.Flags&elf.SHF_WRITE == 0 || inside {
		return fmt.Sprintf("%#x is not the address of its state", state)
	}
	if _, ok := w.message(name); !ok {
		return fmt.Sprintf("%#x is not the address of a function's name", name)
	}
	return ""
}

// message is the string at addr, with the level that KERN_ERR and the like put
// before it. No string begins inside another: where addr has no symbol and the
// string has no level, the byte before it is not a character. An array of its own,
// as __func__ is, may follow anything.
func (w *World) message(addr uint64) (string, bool) {
	const longest = 256
	text := make([]byte, 0, longest)
	var b [1]byte
	for n := range uint64(longest) {
		if w.Mem.Read(addr+n, b[:]) != nil {
			return "", false
		}
		switch c := b[0]; {
		case c == 0:
			return string(text), n > 0 && (text[0] == soh || w.stringBegins(addr))
		case c == soh && n == 0, isPrinted(c):
		default:
			return "", false
		}
		text = append(text, b[0])
	}
	return "", false
}

// stringBegins reports whether the text at addr begins there.
func (w *World) stringBegins(addr uint64) bool {
	if s, ok := w.Image.SymbolAt(addr); ok && s.Addr == addr {
		return true
	}
	var before [1]byte
	return w.Mem.Read(addr-1, before[:]) != nil || before[0] != soh && !isPrinted(before[0])
}

// isPrinted reports whether the character is one of a message.
func isPrinted(c byte) bool { return c == '\n' || c == '\t' || c >= ' ' && c < 0x7f }
