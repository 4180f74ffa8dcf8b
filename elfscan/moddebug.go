package elfscan

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// debugOfModule is the image that has the module's line tables: the module itself
// or, if that has no line tables, its debug file. An error says what is wrong
// with the debug file.
func (im *Image) debugOfModule() (*Image, error) {
	if s := im.file.Section(".debug_line"); s != nil && s.Type != elf.SHT_NOBITS {
		return im, nil
	}
	for _, path := range im.debugPaths() {
		if _, err := os.Stat(path); err != nil && path != im.module.debug.DebugFile {
			continue
		}
		debug, err := OpenModule(path, ModuleOptions{})
		if err != nil {
			return im, err
		}
		if a, b := im.BuildID(), debug.BuildID(); a != b {
			debug.Close()
			return im, &Error{Path: path, What: fmt.Sprintf("is of another build: its build ID is %q, that of %s is %q", b, im.Path, a)}
		}
		debug.placeLike(im)
		return debug, nil
	}
	return im, nil
}

// debugPaths are where the module's debug file can be: beside it, and in the
// debug folders by its build ID or by its own path.
func (im *Image) debugPaths() []string {
	opt := &im.module.debug
	if opt.DebugFile != "" {
		return []string{opt.DebugFile}
	}
	path := im.Path
	for _, ext := range []string{".xz", ".gz", ".zst"} {
		path = strings.TrimSuffix(path, ext)
	}
	out := []string{path + ".debug"}
	full, err := filepath.Abs(path)
	id := im.BuildID()
	for _, dir := range opt.DebugDirs {
		if len(id) > 2 {
			out = append(out, filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug"))
		}
		if err == nil {
			out = append(out, filepath.Join(dir, full)+".debug", filepath.Join(dir, full))
		}
	}
	return out
}

// placeLike gives each section the address of the section of the same name in
// main. im is the debug file of main.
func (im *Image) placeLike(main *Image) {
	m := im.module
	from := make([]uint64, len(m.Sections))
	seen := map[string]int{}
	for i := range m.Sections {
		s := &m.Sections[i]
		from[i], s.Addr = s.Addr, 0
		nth := seen[s.Name]
		seen[s.Name]++
		for _, of := range main.module.Sections {
			if of.Name != s.Name {
				continue
			}
			if nth == 0 {
				s.Addr = of.Addr
				break
			}
			nth--
		}
	}
	im.moveSymbols(from)
}

// debugSection are the bytes of a module's debug section, unpacked, with its
// relocations applied. In a relocatable file, the addresses in a debug section
// and its offsets in other sections stand in the relocations alone.
func (im *Image) debugSection(s *elf.Section, data []byte) []byte {
	for i, of := range im.file.Sections {
		if of != s || im.module.relas[i] == 0 {
			continue
		}
		out := append([]byte(nil), data...)
		at := &Range{Name: s.Name, Size: uint64(len(out)), number: i}
		im.eachModReloc(i, at.Size, func(r modReloc) { im.applyTo(out[r.off:], at, r) })
		return out
	}
	return data
}
