package rules

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/rules.md, and the beginnings of pages")

// TestDocs makes sure that docs/rules.md is what the catalogue says.
func TestDocs(t *testing.T) {
	const path = "../docs/rules.md"
	want := docs()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs from the catalogue (go test ./rules -update; -catalogue +file):\n%s", path, diff)
	}
}

// groups are the hundreds, each with an introduction to its rules.
var groups = []struct{ prefix, title, about string }{
	{"FT1", "The trampoline: template, copy and result", `A dynamic trampoline is a copy of the entry code, made at run time for one ` + "`ftrace_ops`" + `. FT101, FT102, FT113 and FT114
are about the entry code itself and apply to every kernel. The others apply to a kernel with a builder of trampolines, or with
the labels of a builder.`},
	{"FT2", "Reach", `BL reaches -128 MiB .. +128 MiB-4. Image, modules and trampolines can be farther apart than that.`},
	{"FT3", "W^X and caches", `Permissions to write and to execute pages, and the caches that must see new code.`},
	{"FT4", "Callsites", `The table of callsites, the words at each of them, and what the kernel's own functions make of these words.`},
	{"FT5", "x86-isms", `Words of x86 in arm64 code, and words of arm64 in x86 code. The names of the rules are those of the first table. The tables are
data: [rules/x86.go](../rules/x86.go), [rules/arm64.go](../rules/arm64.go).`},
	{"FT6", "The builder's source and the patch", `The way in which a builder's code is written. FT601 to FT603 are also seen in an image, by executing the builder.`},
	{"FT7", "BPF trampolines", `The code that arm64 kernels from 6.0 on generate for BPF programs that trace functions: fentry, fexit, fmod_ret, LSM and
struct_ops. The kernel's generator is executed, and what it generates. Not applicable to a kernel without a BPF JIT or
without BTF.`},
}

var evidenceNames = [...]string{"sites", "symbols", "sections", "model", "execution"}

// seenBy lists the things that a rule looks at, as pages and docs/rules.md print
// them: "model, execution; patch".
func seenBy(r Rule) string {
	var image []string
	for i, name := range evidenceNames {
		if r.Sees&(1<<i) != 0 {
			image = append(image, name)
		}
	}
	parts := []string{strings.Join(image, ", ")}
	if r.On&Patches != 0 {
		parts = append(parts, "patch")
	}
	return strings.TrimPrefix(strings.Join(parts, "; "), "; ")
}

// docs is docs/rules.md.
func docs() string {
	var b strings.Builder
	b.WriteString(`<!-- Written by: go test ./rules -update -->
# Rules

Each rule has a page: what it reports, why that matters, an example (what ` + "`ftlint`" + ` prints for a sample in this tree), how
to fix it, and where it is written. ` + "`ftlint explain FT103`" + ` prints one. IDs and names never change their meaning.

| severity | |
| --- | --- |
| error | breaks the machine, or ftrace on it |
| warning | breaks under conditions that the finding states, or costs |
| note | worth knowing; nothing breaks |

Beside its findings each rule has an outcome in the summary:

| outcome | |
| --- | --- |
| passed | it was looked at in full, and nothing was found |
| findings | something was found, and proved |
| not applicable | the rule says nothing about this input; the reason is given |
| inconclusive | no verdict was reached: an instruction or a call that the emulator does not know, a limit; the reason is given |

"Seen by" says what is looked at: symbols, callsites, sections; the model of what a builder makes; the image's own code,
executed; or patches and sources.
`)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %sxx %s\n\n%s\n\n| rule | | severity | what is wrong | seen by |\n| --- | --- | --- | --- | --- |\n", g.prefix, g.title, g.about)
		for _, r := range catalogue {
			if strings.HasPrefix(r.ID, g.prefix) {
				fmt.Fprintf(&b, "| [%s](../rules/pages/%s.md) | %s | %s | %s | %s |\n", r.ID, r.ID, r.Name, r.Severity, strings.ReplaceAll(r.Title, "|", `\|`), seenBy(r))
			}
		}
	}
	b.WriteString(notOn())
	return b.String()
}

// notOn is the part of docs/rules.md about architectures.
func notOn() string {
	var b strings.Builder
	fmt.Fprintf(&b, `
## On which architecture

Every rule is about arm64. On x86-64 all rules apply but these; the page of each rule says what it judges there. A rule on
patches judges code below arch/arm64 and arch/x86 alike, but for the rules of this table.

| on x86-64 not judged by | because |
| --- | --- |
`)
	row := func(about string, absence func(Rule) Absence) {
		ids := map[string][]string{} // by reason
		var order []string
		for _, r := range catalogue {
			if why := absence(r).Why("x86"); why != "" {
				if ids[why] == nil {
					order = append(order, why)
				}
				ids[why] = append(ids[why], fmt.Sprintf("[%s](../rules/pages/%[1]s.md)", r.ID))
			}
		}
		for _, why := range order {
			fmt.Fprintf(&b, "| %s%s | %s |\n", strings.Join(ids[why], ", "), about, why)
		}
	}
	row("", func(r Rule) Absence { return r.NotOn })
	row(", in patches", func(r Rule) Absence { return r.PatchesNotOn })
	return b.String()
}

// TestDocsHasAll makes sure that no rule is in none of the groups.
func TestDocsHasAll(t *testing.T) {
	doc := docs()
	for _, r := range catalogue {
		if strings.Count(doc, "| ["+r.ID+"](../rules/pages/"+r.ID+".md) | "+r.Name+" |") != 1 {
			t.Errorf("docs/rules.md has %s %d times", r.ID, strings.Count(doc, "| ["+r.ID+"]"))
		}
	}
}
