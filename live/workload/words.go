//go:build linux

package main

func compareCallsites() {}
