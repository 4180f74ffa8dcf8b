# make            builds ftlint, its man page and completions, in build/
# make install    installs them below PREFIX, or below DESTDIR for a package
# make uninstall  removes what make install has installed
# make check      runs the quick tests

PREFIX ?= /usr/local
DESTDIR ?=
BUILD = build
BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man/man1
BASHDIR = $(DATADIR)/bash-completion/completions
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d

GO = go
BUILDFLAGS = -trimpath
INSTALL = install

# Where each file is installed.
MAN = $(DESTDIR)$(MANDIR)/ftlint.1
BASH = $(DESTDIR)$(BASHDIR)/ftlint
ZSH = $(DESTDIR)$(ZSHDIR)/_ftlint
FISH = $(DESTDIR)$(FISHDIR)/ftlint.fish
BIN = $(DESTDIR)$(BINDIR)/ftlint

.PHONY: all install uninstall check clean

all:
	mkdir -p $(BUILD)
	CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o $(BUILD)/ftlint ./cmd/ftlint
	$(BUILD)/ftlint man >$(BUILD)/ftlint.1
	$(BUILD)/ftlint completion bash >$(BUILD)/ftlint.bash
	$(BUILD)/ftlint completion zsh >$(BUILD)/_ftlint
	$(BUILD)/ftlint completion fish >$(BUILD)/ftlint.fish

# What has been built is installed as it is, so that root needs no Go.
install:
	@[ -x $(BUILD)/ftlint ] || { echo 'make install: nothing is built: run make first' >&2; exit 2; }
	for dir in '$(BINDIR)' '$(MANDIR)' '$(BASHDIR)' '$(ZSHDIR)' '$(FISHDIR)'; do mkdir -p '$(DESTDIR)'"$$dir"; done
	$(INSTALL) -m 755 $(BUILD)/ftlint '$(BIN)'
	$(INSTALL) -m 644 $(BUILD)/ftlint.1 '$(MAN)'
	$(INSTALL) -m 644 $(BUILD)/ftlint.bash '$(BASH)'
	$(INSTALL) -m 644 $(BUILD)/_ftlint '$(ZSH)'
	$(INSTALL) -m 644 $(BUILD)/ftlint.fish '$(FISH)'

uninstall:
	rm -f '$(BIN)' '$(MAN)' '$(BASH)' '$(ZSH)' '$(FISH)'

check:
	$(GO) test -short ./...

clean:
	rm -rf $(BUILD)
