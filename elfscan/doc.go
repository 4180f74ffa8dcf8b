// Package elfscan opens arm64 kernel images (vmlinux) and modules. An image has
// bytes at addresses with relocations applied, tables of addresses, symbols by
// name and by address, and source positions. The package knows nothing of
// ftrace but the sections that the module loader makes for it.
//
// A vmlinux is mapped, not read: only the pages that are used are touched. All
// addresses are link-time virtual addresses. All sizes are in bytes.
package elfscan
