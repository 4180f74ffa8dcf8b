// Package elfscan opens an arm64 kernel image (vmlinux) and answers what the
// checks ask of it: bytes at an address with relocations applied, symbols by
// name and by address, the callsite table, the era, and source positions.
//
// The file is mapped, not read: only the pages that are asked for are
// touched. All addresses are link-time virtual addresses; all sizes are in
// bytes.
package elfscan
