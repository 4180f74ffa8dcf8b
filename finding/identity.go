package finding

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// An Identity is the part of a finding that stays the same when the kernel is
// built again, or when the lines of a source file move. It has no address, no
// line and no offset. Two findings may share an identity.
type Identity struct {
	Rule   string // its ID
	Object string // "vmlinux", the name of a module, or the path of a patched file
	Symbol string // the symbol around the address or its callsite, without offset; "" for none
	// Text is the instruction at the address or the line of the source, without
	// numbers. A finding that has neither has its headline.
	Text string
	// Headline is that of a finding about the kernel's own code, without numbers: one
	// rule may find two defects of a function. It is "" of callsites, where the rule
	// says all, and in baselines of older versions.
	Headline string
}

// Fingerprint returns a short name of the identity: 32 hexadecimal digits.
func (id Identity) Fingerprint() string {
	parts := []string{id.Rule, id.Object, id.Symbol, id.Text}
	if id.Headline != "" {
		parts = append(parts, id.Headline)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Valid returns the identity in a form that a file can hold. Names in an image
// may be any bytes, and a module may have no name.
func (id Identity) Valid() Identity {
	id.Object = cmp.Or(id.Object, "?")
	for _, s := range []*string{&id.Object, &id.Symbol, &id.Text, &id.Headline} {
		*s = strings.ToValidUTF8(*s, "\ufffd")
	}
	return id
}

var (
	// number matches what another build changes in an instruction or a message.
	number = regexp.MustCompile(`[-+]?\b(?:0x[0-9a-f]+|[0-9a-f]{8}|\d+(?:,\d{3})*)\b`)
	spaces = regexp.MustCompile(`\s+`)
)

// WithoutNumbers returns the text of an instruction or a message in the form that
// Identity.Text has.
func WithoutNumbers(text string) string {
	text = strings.ReplaceAll(number.ReplaceAllString(text, "#"), "##", "#")
	return strings.TrimSpace(OneBlank(text))
}

// OneBlank returns text with each run of white space replaced by one blank.
func OneBlank(text string) string { return spaces.ReplaceAllString(text, " ") }
