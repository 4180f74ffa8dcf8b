// Package patchscan reads patches and source files: what git format-patch
// writes, mails and mailboxes, replies that quote a patch, plain diffs, and C
// and assembly as they are.
//
// Every line has two positions: one in the input, one in the patched file. The
// package reads patches as mailing lists deliver them: with encoded bodies, with
// lost white space, with hunks cut short. Notes name everything that it could
// not read.
//
// Lines are counted from 1, columns in bytes from 1.
package patchscan
