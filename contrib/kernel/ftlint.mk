# make ftlint, for a kernel tree.
#
#   make -f /path/to/ftlint.mk ftlint [O=BUILD]        what has been built
#   make -f /path/to/ftlint.mk ftlint-git RANGE=v1..   commits, before they are sent
#
# or, to have the targets beside the tree's own, a file GNUmakefile in the tree:
#
#   include Makefile
#   include /path/to/ftlint.mk
#
# FTLINT is the program, FTLINT_FLAGS are its options: make ftlint
# FTLINT_FLAGS='--fail-on warning -o sarif=ftlint.sarif'. The status is that of
# ftlint: findings at or above --fail-on fail the make.

FTLINT ?= ftlint
FTLINT_FLAGS ?=

ftlint_build := $(or $(O),$(KBUILD_OUTPUT),.)

.PHONY: ftlint ftlint-git

# All modules that the build has made (modules.order lists them, .o since 6.3)
# are checked as modules of its vmlinux. Paths of reports are as seen from here.
ftlint:
	@if [ ! -s '$(ftlint_build)/vmlinux' ]; then \
		echo 'ftlint.mk: no vmlinux in $(ftlint_build): build the kernel first' >&2; exit 2; \
	fi
	@modules=; \
	if [ -f '$(ftlint_build)/modules.order' ]; then \
		modules=$$(sed -e 's/\.o$$/.ko/' -e 's|^|$(ftlint_build)/|' '$(ftlint_build)/modules.order'); \
	fi; \
	exec $(FTLINT) --srctree . $(FTLINT_FLAGS) '$(ftlint_build)/vmlinux' $$modules

ftlint-git:
	@[ -n '$(RANGE)' ] || { echo 'ftlint.mk: RANGE is not set: make ftlint-git RANGE=v6.12..HEAD' >&2; exit 2; }
	@exec $(FTLINT) --srctree . $(FTLINT_FLAGS) --git '$(RANGE)'
