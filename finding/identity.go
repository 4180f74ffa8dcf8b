package finding

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
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

// Valid is the identity as a file can have it: names in an image may be any
// bytes, and a module may have none.
func (id Identity) Valid() Identity {
	id.Object = cmp.Or(id.Object, "?")
	for _, s := range []*string{&id.Object, &id.Symbol, &id.Text} {
		*s = strings.ToValidUTF8(*s, "\ufffd")
	}
	return id
}

var (
	// number is what another build changes in an instruction or a message.
	number = regexp.MustCompile(`[-+]?\b(?:0x[0-9a-f]+|\d+)\b`)
	spaces = regexp.MustCompile(`\s+`)
)

// WithoutNumbers is the text of an instruction or a message as an Identity has
// it.
func WithoutNumbers(text string) string {
	text = strings.ReplaceAll(number.ReplaceAllString(text, "#"), "##", "#")
	return strings.TrimSpace(OneBlank(text))
}

// OneBlank is text with each run of white space made one blank.
func OneBlank(text string) string { return spaces.ReplaceAllString(text, " ") }
