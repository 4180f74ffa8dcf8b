//go:build linux

package main

const sysBPF = 321 // the number of the system call bpf(2)
