//go:build linux

package main

const sysBPF = 280 // the number of the system call bpf(2)
