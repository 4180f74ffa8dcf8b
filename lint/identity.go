package lint

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// An Identity is what stays of a finding when the kernel is built again, or
// the lines of a source file move: no address, no line, no offset. Two findings
// may share one.
type Identity struct {
	Rule   string // its ID
	Object string // "vmlinux", the name of a module, or the path of a patched file
	Symbol string // that the address, or its callsite, is in, without an offset; "" for none
	// Text is the instruction at the address or the line of the source, without
	// numbers. A finding that has neither has its message.
	Text string
}

// Fingerprint is a short name of the identity: 32 hexadecimal digits.
func (id Identity) Fingerprint() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{id.Rule, id.Object, id.Symbol, id.Text}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

var (
	// number is what another build changes in an instruction or a message.
	number = regexp.MustCompile(`[-+]?\b(?:0x[0-9a-f]+|\d+)\b`)
	spaces = regexp.MustCompile(`\s+`)
)

// withoutNumbers is text as an Identity has it.
func withoutNumbers(text string) string {
	text = strings.ReplaceAll(number.ReplaceAllString(text, "#"), "##", "#")
	return strings.TrimSpace(spaces.ReplaceAllString(text, " "))
}

// object is the image as an Identity names it.
func object(im *elfscan.Image) string {
	if m := im.Module(); m != nil {
		return Identity{Object: m.Info.Name}.valid().Object
	}
	return "vmlinux"
}

// codeAt tells what is at an address: symbol+offset and, if it is code, the
// instruction, with symbols for targets.
func codeAt(im *elfscan.Image, addr uint64) (symbol, insn string) {
	if addr == 0 {
		return "", ""
	}
	if _, ok := im.SymbolAt(addr); ok {
		symbol = im.Name(addr)
	}
	if w, ok := im.Word(addr); ok && im.IsText(addr) {
		insn = a64.Text(w, addr, im.Name)
	}
	return symbol, insn
}

// valid is the identity as a file can have it: names in an image may be any
// bytes, and a module may have none.
func (id Identity) valid() Identity {
	id.Object = cmp.Or(id.Object, "?")
	for _, s := range []*string{&id.Object, &id.Symbol, &id.Text} {
		*s = strings.ToValidUTF8(*s, "\ufffd")
	}
	return id
}

// identity is that of a finding at a place of an image.
func identity(im *elfscan.Image, f *Finding) Identity {
	id := Identity{Rule: f.Rule.ID, Object: object(im)}
	name := f.Symbol
	if fn, ok := im.SiteFunc(f.Addr); ok {
		name = im.Name(fn)
	}
	id.Symbol, _, _ = strings.Cut(name, "+")
	id.Symbol, _, _ = strings.Cut(id.Symbol, " [") // of a module
	id.Text = f.Insn
	if id.Text == "" {
		id.Text = f.Message
	}
	id.Text = withoutNumbers(id.Text)
	return id.valid()
}
