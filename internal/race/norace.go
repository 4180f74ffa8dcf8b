//go:build !race

// Package race says whether a test runs under the race detector, which makes all
// code about ten times as slow.
package race

// Enabled reports whether the race detector is built in.
const Enabled = false
