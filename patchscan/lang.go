package patchscan

import (
	"path"
	"strings"
)

// Lang is the language of a file.
type Lang uint8

const (
	LangOther Lang = iota // not read beyond its lines
	LangC                 // C and headers
	LangAsm               // assembly that the C preprocessor has seen
)

func (l Lang) String() string { return [...]string{"other", "C", "assembly"}[l] }

// LangOf tells a file's language by its name.
func LangOf(name string) Lang {
	switch path.Ext(name) {
	case ".c", ".h":
		return LangC
	case ".S", ".s":
		return LangAsm
	}
	return LangOther
}

// ArchOf tells the architecture whose file this is: the folder under arch/,
// or an architecture's folder elsewhere in the kernel (tools/testing/
// selftests/arm64). It is "" for files of no architecture.
func ArchOf(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts[:len(parts)-1] {
		if p == "arch" && i+2 < len(parts) {
			return parts[i+1]
		}
	}
	for _, p := range parts[:len(parts)-1] {
		if p == "arm64" || p == "x86" {
			return p
		}
	}
	return ""
}
