// Package live holds ftlint to kernels that are booted. It has tests alone.
//
// scripts/build-kernels builds small kernels of each era, and the tests boot them
// under qemu with the workload of package workload as init. A kernel as built must
// come to the end of the workload, and ftlint must find nothing in it. Of the
// kernels with one instruction changed, ftlint must find those that misbehave.
// scripts/test-live runs as many of these as asked for.
package live
