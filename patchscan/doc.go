// Package patchscan reads patches and source files: what git format-patch
// writes, mails and mailboxes, replies that quote a patch, plain diffs, and C
// and assembly as they are.
//
// It keeps two positions of every line: where it stands in the input, and
// where in the patched file. It reads what mailing lists really carry
// (encoded bodies, lost white space, hunks cut short) and says in notes what
// it could not read: nothing is dropped in silence.
//
// Lines are counted from 1, columns in bytes from 1.
package patchscan
