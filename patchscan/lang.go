package patchscan

import (
	"path"
	"strings"
)

// Lang is the language of a file.
type Lang uint8

const (
	LangOther Lang = iota // only the lines are read
	LangC                 // C and headers
	LangAsm               // assembly, preprocessed or not
)

func (l Lang) String() string { return [...]string{"other", "C", "assembly"}[l] }

// LangOf is the language of a file, by its name.
func LangOf(name string) Lang {
	switch path.Ext(name) {
	case ".c", ".h":
		return LangC
	case ".S", ".s":
		return LangAsm
	}
	return LangOther
}

// ArchOf is the architecture of a file, by its path: the folder under arch/, or a
// folder arm64 or x86 elsewhere in the kernel (tools/testing/selftests/arm64). It
// is "" if the path names no architecture.
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
