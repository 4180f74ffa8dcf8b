package elfscan

import (
	"bytes"
	"strings"
)

// maxBanner bounds the text that a kernel says of itself, in bytes.
const maxBanner = 1024

// Banner returns the release of the kernel, the compiler that built it, and its
// version, which has the date of the build ("#1 SMP PREEMPT Thu Jan  2 15:04:05 UTC
// 2025"), as linux_banner (init/version.c) names them:
//
//	Linux version 6.12.9-arm64 (user@host) (gcc-14 (Debian 14.2.0) 14.2.0, GNU ld 2.44) #1 SMP ...
//
// What the image does not say is "".
func (im *Image) Banner() (release, compiler, version string) {
	addr, ok := im.Addr("linux_banner")
	if !ok {
		return "", "", ""
	}
	b := make([]byte, maxBanner)
	for len(b) > 0 && !im.ReadAt(addr, b) {
		b = b[:len(b)/2] // near the end of a section
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	rest, ok := strings.CutPrefix(strings.ToValidUTF8(string(b), "?"), "Linux version ")
	if !ok {
		return "", "", ""
	}
	release, rest, _ = strings.Cut(rest, " ")
	_, rest = inParentheses(rest)
	built, rest := inParentheses(rest)
	compiler, _, _ = strings.Cut(built, ", ")
	return release, compiler, strings.TrimSpace(rest)
}

// inParentheses returns the text in the first parentheses of s, and the text
// behind them.
func inParentheses(s string) (inside, rest string) {
	from := strings.IndexByte(s, '(')
	depth := 0
	for i := max(from, 0); from >= 0 && i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[from+1 : i], s[i+1:]
			}
		}
	}
	return "", ""
}
