package elfscan

import (
	"bytes"
	"unicode/utf8"
)

// A fileKind is a kind of file that people take for a kernel image.
type fileKind struct {
	what string // the kind, and where to find an image: "is ..."
	at   int    // offset in bytes of the magic
	head string // the magic
}

// fileKinds are kinds of files that are no ELF files, told by their magic numbers.
// The more exact ones come first.
var fileKinds = []fileKind{
	// Documentation/arch/arm64/booting.rst
	{"is an arm64 boot image (Image), not an ELF file: give the vmlinux that it was made from", 56, "ARM\x64"},
	// drivers/firmware/efi/libstub/zboot-header.S
	{"is an EFI boot image with a packed kernel in it (vmlinuz.efi), not an ELF file: give the vmlinux that it was made from", 4, "zimg"},
	// Documentation/arch/x86/boot.rst
	{"is an x86 boot image (bzImage), not an ELF file: give the vmlinux that it was made from", 0x202, "HdrS"},
	// arch/arm/boot/compressed/head.S
	{"is a boot image for 32-bit arm (zImage): ftlint checks kernels for arm64, as vmlinux", 0x24, "\x18\x28\x6f\x01"},
	{"is a kernel in U-Boot's format (uImage), not an ELF file: give the vmlinux that it was made from", 0, "\x27\x05\x19\x56"},
	{"is an Android boot image, not an ELF file: give the vmlinux of the build", 0, "ANDROID!"},
	{"is packed with bzip2: unpack the file first (of packed files ftlint reads gzip, xz and zstd)", 0, "BZh"},
	{"is packed with lz4: unpack the file first (of packed files ftlint reads gzip, xz and zstd)", 0, "\x02\x21\x4c\x18"},
	{"is packed with lz4: unpack the file first (of packed files ftlint reads gzip, xz and zstd)", 0, "\x04\x22\x4d\x18"},
	{"is packed with lzop: unpack the file first (of packed files ftlint reads gzip, xz and zstd)", 0, "\x89LZO"},
	{"is packed with lzma: unpack the file first (of packed files ftlint reads gzip, xz and zstd)", 0, "\x5d\x00\x00"},
	{"is a zip file: unpack the file first", 0, "PK\x03\x04"},
	{"is a tar archive: unpack the file first", 257, "ustar"},
	{"is a Debian package: unpack the file first (dpkg-deb -x); a vmlinux is in the package whose name ends in -dbg", 0, "!<arch>\ndebian"},
	{"is an archive of object files: give the vmlinux that is linked from them", 0, "!<arch>\n"},
	{"is an RPM package: unpack the file first; a vmlinux is in kernel-debuginfo", 0, "\xed\xab\xee\xdb"},
	// Documentation/devicetree/ and U-Boot's doc/usage/fit: a FIT is a device tree, too
	{"is a FIT image (image.fit, Image.itb) or a device tree (.dtb), not an ELF file: give the vmlinux that the kernel in it was made from", 0, "\xd0\x0d\xfe\xed"},
	{"is a raw BTF file, not an ELF file: give the vmlinux", 0, "\x9f\xeb\x01\x00"},
}

// kindOf says what data, which is no ELF file, is; "" if that is not known.
func kindOf(data []byte) string {
	for _, k := range fileKinds {
		if len(data) >= k.at && bytes.HasPrefix(data[k.at:], []byte(k.head)) {
			return k.what
		}
	}
	if isText(data[:min(len(data), 1024)]) {
		return "is a text file: an ELF file was expected (a vmlinux or a module), or a patch; the name of a source file ends in .c, .h, .S or .s"
	}
	return ""
}

// isText reports whether the first bytes of a file are text in UTF-8.
func isText(head []byte) bool {
	printable := 0
	for i := 0; i < len(head); {
		r, n := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && n < 2 && len(head)-i >= utf8.UTFMax || r < ' ' && !bytes.ContainsRune([]byte("\t\n\v\f\r\x1b"), r) {
			return false
		}
		if r > ' ' {
			printable++
		}
		i += n
	}
	return printable > 1
}
