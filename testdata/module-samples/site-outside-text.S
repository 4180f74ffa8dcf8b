// Entries that point at data and at a section that is not loaded.
//
// kernel: kernel-regs
// build: site-outside-text link=module

#include "module.inc"
#include "sites-nops.inc"
// want-image FT403 "in \.data, which is not executable"

	module	site_outside_text, "6.1.0-sample SMP mod_unload aarch64"
	plts
	traced	read_device
	record	counter
