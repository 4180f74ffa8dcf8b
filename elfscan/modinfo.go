package elfscan

import (
	"bytes"
	"strings"
)

// ModInfo is what a module says of itself in section .modinfo.
type ModInfo struct {
	Name     string
	Vermagic string // the kernel that the module is made for: "6.1.0-50-cloud-arm64 SMP mod_unload modversions aarch64"
}

// readModInfo reads section .modinfo: "key=value", each ended by NULs.
func readModInfo(b []byte) (info ModInfo) {
	for len(b) > 0 {
		entry, rest, _ := bytes.Cut(b, []byte{0})
		b = rest
		key, value, _ := bytes.Cut(entry, []byte("="))
		switch string(key) {
		case "name":
			info.Name = string(value)
		case "vermagic":
			info.Vermagic = string(bytes.TrimSpace(value)) // x86 has a blank behind the last word
		}
	}
	return info
}

// Release is the kernel's release, the first word of Vermagic.
func (i ModInfo) Release() string {
	release, _, _ := strings.Cut(i.Vermagic, " ")
	return release
}

// Vermagic is the vermagic that the kernel expects of its modules. If the image
// has no such variable, Vermagic is the release alone, from the banner; "" if
// the image has neither.
func (im *Image) Vermagic() string {
	if s, ok := im.cString("vermagic"); ok {
		return strings.TrimSpace(s)
	}
	banner, _ := im.cString("linux_banner")
	if rest, ok := strings.CutPrefix(banner, "Linux version "); ok {
		release, _, _ := strings.Cut(rest, " ")
		return release
	}
	return ""
}

// cString is the text that the variable of that name holds.
func (im *Image) cString(name string) (string, bool) {
	s, ok := im.Lookup(name)
	if !ok {
		return "", false
	}
	const longest = 1024
	for n := longest; n > 0; n /= 2 {
		if b, ok := im.Bytes(s.Addr, n); ok {
			text, _, ended := bytes.Cut(b, []byte{0})
			return string(text), ended && len(text) > 0
		}
	}
	return "", false
}

// MadeFor reports whether the module's vermagic is the one that the kernel
// expects (same_magic() in kernel/module/version.c). It is true if either is not
// known.
func (i ModInfo) MadeFor(kernel string) bool {
	if i.Vermagic == "" || kernel == "" || !strings.Contains(kernel, " ") && i.Release() == kernel {
		return true
	}
	return i.Vermagic == strings.TrimSpace(kernel)
}
