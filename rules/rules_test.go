package rules

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/trampoline"
)

func TestCatalogue(t *testing.T) {
	var (
		id    = regexp.MustCompile(`^FT[1-7]\d\d$`)
		kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
		names = map[string]string{} // name -> ID
	)
	for i, r := range catalogue {
		if !id.MatchString(r.ID) {
			t.Errorf("%q is not an ID", r.ID)
		}
		if i > 0 && r.ID <= catalogue[i-1].ID {
			t.Errorf("%s stands after %s", r.ID, catalogue[i-1].ID)
		}
		if !kebab.MatchString(r.Name) {
			t.Errorf("%s: name %q is not kebab-case", r.ID, r.Name)
		}
		if other, ok := names[r.Name]; ok {
			t.Errorf("%s and %s are both called %s", other, r.ID, r.Name)
		}
		names[r.Name] = r.ID
		if r.Title == "" || strings.ContainsAny(r.Title, "\n") || strings.HasSuffix(r.Title, ".") {
			t.Errorf("%s: title %q: want one line with no full stop", r.ID, r.Title)
		}
		if image := r.On &^ Patches; r.On == 0 || (image == 0) != (r.Sees == 0) {
			t.Errorf("%s: On is %b and Sees is %b: want an input, and for an image something to look at", r.ID, r.On, r.Sees)
		} else if image == 0 && (r.Picture != NoPicture || r.Differences != 0 || r.Twin != "") {
			t.Errorf("%s: a picture, differences and a twin are of rules on images", r.ID)
		}
		if twin, ok := Lookup(r.Twin); r.Twin != "" && (!ok || twin.On&Patches == 0 || r.On&Patches != 0) {
			t.Errorf("%s: twin %q is not a rule on patches, or %[1]s is one itself", r.ID, r.Twin)
		}
		if r.Severity > Error {
			t.Errorf("%s: %v", r.ID, r.Severity)
		}
	}
	// IDs are never removed or left out: a group has the IDs from 01 on, and has not
	// become shorter. If a new rule is lost, its page is left over.
	got := map[string]int{}
	for _, r := range catalogue {
		group := r.ID[:3]
		got[group]++
		if want := fmt.Sprintf("%s%02d", group, got[group]); r.ID != want {
			t.Errorf("%s stands where %s is expected", r.ID, want)
		}
	}
	for group, least := range map[string]int{"FT1": 16, "FT2": 7, "FT3": 8, "FT4": 11, "FT5": 4, "FT6": 8, "FT7": 16} {
		if got[group] < least {
			t.Errorf("%d rules in group %s, which has had %d", got[group], group, least)
		}
	}
}

// Each kind of difference from the model has a rule, so that a report can name it.
func TestAbout(t *testing.T) {
	for kind := trampoline.MissesReturn; kind <= trampoline.Misconduct; kind++ {
		if len(About(kind)) == 0 {
			t.Errorf("no rule is about differences of kind %d", kind)
		}
	}
}

// Each page says what the rule judges on x86-64, or that it does not apply, with the
// reason that the catalogue has.
func TestPagesOfArchs(t *testing.T) {
	for _, r := range catalogue {
		page, _ := r.Page()
		about := ""
		for part := range strings.SplitSeq(page, "\n\n") {
			if strings.HasPrefix(part, "On x86-64 ") {
				about += strings.ReplaceAll(part, "\n", " ")
			}
		}
		if about == "" {
			t.Errorf("%s: no paragraph begins with On x86-64", r.ID)
		}
		if why := r.NotOn.Why("x86"); why != "" && !strings.Contains(about, "On x86-64 the rule does not apply: "+why) {
			t.Errorf("%s: the page does not say that it does not apply: %s:\n%s", r.ID, why, about)
		}
		if why := r.PatchesNotOn.Why("x86"); why != "" && !strings.Contains(about, "In patches the rule does not apply: "+why) {
			t.Errorf("%s: the page does not say that patches are not judged: %s:\n%s", r.ID, why, about)
		}
	}
}

func TestPages(t *testing.T) {
	sections := []string{"What", "Why", "Example", "Fix", "References"}
	for _, r := range catalogue {
		page, ok := r.Page()
		if !ok {
			if *update {
				withHead(t, r, "\n\n\n")
			}
			t.Errorf("%s has no page: write rules/pages/%[1]s.md, like that of a rule near it (go test ./rules -update begins one)", r.ID)
			continue
		}
		head := pageHead(r)
		if !strings.HasPrefix(page, head) && *update {
			page = withHead(t, r, page)
		}
		if !strings.HasPrefix(page, head) {
			t.Errorf("the page of %s does not begin as the catalogue says (go test ./rules -update):\n%s", r.ID, head)
		}
		lines := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
		var got []string
		fences, example := 0, -1
		for i, l := range lines {
			if len(l) > 120 && fences%2 == 0 {
				t.Errorf("%s: line %d has %d characters", r.ID, i+1, len(l))
			}
			if strings.HasPrefix(l, "```") {
				fences++
			} else if strings.HasPrefix(l, "#") && fences%2 == 0 && i > 0 {
				got = append(got, strings.TrimPrefix(l, "## "))
			}
			if l == "<!-- example -->" {
				example = i
			}
		}
		if !slices.Equal(got, sections) {
			t.Errorf("%s: sections %q, want %q", r.ID, got, sections)
		}
		if fences%2 != 0 {
			t.Errorf("%s: a code block is not closed", r.ID)
		}
		if n := len(lines); n < 20 || n > 70 {
			t.Errorf("%s: %d lines", r.ID, n)
		}
		checkSections(t, r.ID, page)
		// The example is a finding as ftlint prints it.
		if example < 0 || example+2 >= len(lines) || lines[example+1] != "```text" {
			t.Errorf("%s: no <!-- example --> with a ```text block under it", r.ID)
			continue
		}
		finding := regexp.MustCompile(`^\S+: ` + r.Severity.String() + `: .+ \[` + r.ID + " " + r.Name + `\]$`)
		if !finding.MatchString(lines[example+2]) {
			t.Errorf("%s: example %q is not path: %s: message [%s %s] (go test ./report -update puts one there)", r.ID, lines[example+2], r.Severity, r.ID, r.Name)
		}
	}
	files, err := pages.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if r, ok := Lookup(strings.TrimSuffix(f.Name(), ".md")); !ok || r.ID+".md" != f.Name() {
			t.Errorf("pages/%s is not the page of a rule", f.Name())
		}
	}
}

// pageHead is the beginning of a rule's page, which repeats the catalogue.
func pageHead(r Rule) string {
	return fmt.Sprintf("# %s %s\n\nSeverity: %s. Seen by: %s.\n", r.ID, r.Name, r.Severity, seenBy(r))
}

// withHead gives the page another beginning, in its file too, if the page
// begins with a heading, a blank line and a line more.
func withHead(t *testing.T, r Rule, page string) string {
	t.Helper()
	lines := strings.SplitN(page, "\n", 4)
	if len(lines) < 4 {
		return page
	}
	page = pageHead(r) + lines[3]
	if err := os.WriteFile("pages/"+r.ID+".md", []byte(page), 0o666); err != nil {
		t.Fatal(err)
	}
	return page
}

// checkSections makes sure that no section of a page is a heading alone, that
// the rules it names exist, and that each reference can be looked up: a commit
// by hash or subject, a part of a manual, a place in the kernel tree, a mail.
func checkSections(t *testing.T, id, page string) {
	t.Helper()
	sections := map[string]string{}
	for _, part := range strings.Split(page, "\n## ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		sections[name] = strings.TrimSpace(text)
	}
	for name, least := range map[string]int{"What": 20, "Why": 40, "Fix": 8} {
		if n := len(strings.Fields(sections[name])); n < least {
			t.Errorf("%s: %s has %d words", id, name, n)
		}
	}
	for _, other := range regexp.MustCompile(`\bFT\d{3}\b`).FindAllString(page, -1) {
		if _, ok := Lookup(other); !ok {
			t.Errorf("%s speaks of %s, which there is not", id, other)
		}
	}
	references := strings.Split("\n"+strings.ReplaceAll(sections["References"], "\n  ", " "), "\n- ")[1:]
	if len(references) == 0 {
		t.Errorf("%s: no references", id)
	}
	for _, ref := range references {
		if !reference.MatchString(ref) {
			t.Errorf("%s: reference %q is not a commit, a part of a manual, a place in the kernel tree or a mail", id, ref)
		}
	}
}

var reference = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`[0-9a-f]{12} \("[^"]+"\)(?:: .+)?`,                                                        // commit
	`"(?:arm64|x86|ftrace)[^"]*: [^"]+"(?:: .+)?`,                                              // commit, by its subject
	`Arm ARM \(DDI 0487\), .*"[^"]+".*`,                                                        // manual
	`Procedure Call Standard for the Arm 64-bit Architecture \(AAPCS64\), "[^"]+"`,             // manual
	`(?:.* in )?(?:arch|Documentation|kernel|scripts|include)/.+`,                              // kernel tree
	"`[a-z0-9_]+\\(\\)`.*",                                                                     // a function of it
	`(?:Review of )?"\[RFC PATCH\] arm64/ftrace: support dynamically allocated trampolines".*`, // mail
}, "|") + `)$`)

func TestPageOfNoRule(t *testing.T) {
	if page, ok := (Rule{ID: "FT999"}).Page(); ok || page != "" {
		t.Errorf("FT999 has a page: %q", page)
	}
}

func TestSeverity(t *testing.T) {
	if !(Note < Warning && Warning < Error) {
		t.Error("severities are out of order")
	}
	for _, s := range []Severity{Note, Warning, Error} {
		if got, err := ParseSeverity(s.String()); err != nil || got != s {
			t.Errorf("ParseSeverity(%q) = %v, %v", s.String(), got, err)
		}
	}
	if s, err := ParseSeverity("Warning"); err != nil || s != Warning {
		t.Errorf("ParseSeverity(Warning) = %v, %v", s, err)
	}
	if _, err := ParseSeverity("fatal"); err == nil || !strings.Contains(err.Error(), `"fatal"`) {
		t.Errorf("ParseSeverity(fatal): %v", err)
	}
	if got := Severity(7).String(); got != "severity(7)" {
		t.Errorf("Severity(7) = %q", got)
	}
}

func TestLookup(t *testing.T) {
	for _, s := range []string{"FT103", "ft103", "copy-misses-ret", "Copy-Misses-RET"} {
		if r, ok := Lookup(s); !ok || r.ID != "FT103" {
			t.Errorf("Lookup(%q) = %v, %v", s, r.ID, ok)
		}
	}
	for _, s := range []string{"", "FT", "FT1", "FT1033", "copy-misses", " FT103"} {
		if r, ok := Lookup(s); ok {
			t.Errorf("Lookup(%q) = %v", s, r.ID)
		}
	}
}

func TestSelect(t *testing.T) {
	for _, test := range []struct {
		spec string
		want string
	}{
		{"FT103", "FT103"},
		{"copy-misses-ret", "FT103"},
		{" ft103 ", "FT103"},
		{"FT10", "FT101 FT102 FT103 FT104 FT105 FT106 FT107 FT108 FT109"},
		{"ft10", "FT101 FT102 FT103 FT104 FT105 FT106 FT107 FT108 FT109"}, // no rule can be added to these
	} {
		got, err := Select(test.spec)
		var ids []string
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		if err != nil || strings.Join(ids, " ") != test.want {
			t.Errorf("Select(%q) = %v, %v, want %s", test.spec, ids, err, test.want)
		}
	}
	if got, err := Select("FT"); err != nil || len(got) != len(catalogue) {
		t.Errorf("Select(FT): %d rules, %v", len(got), err)
	}
	for spec, near := range map[string]string{
		"copy-mises-ret": "FT103 copy-misses-ret",
		"copy":           "FT103 copy-misses-ret, FT105 copy-past-ret",
		"literal":        "FT109 ops-literal-misaligned, FT110 ops-literal-unreachable",
		"FT219":          "near it: FT209",
		"FT1033":         "near it: FT103",
		"FT8":            "want an ID",
		"F":              "want an ID",
		"":               "want an ID",
		"everything":     "want an ID",
	} {
		got, err := Select(spec)
		if err == nil || got != nil {
			t.Errorf("Select(%q) = %d rules, %v", spec, len(got), err)
			continue
		}
		if !strings.Contains(err.Error(), `"`+spec+`"`) || !strings.Contains(err.Error(), near) {
			t.Errorf("Select(%q): %q does not say %q", spec, err, near)
		}
	}
}

func TestAllIsACopy(t *testing.T) {
	All()[0].Name = "changed"
	if catalogue[0].Name == "changed" {
		t.Error("a change to what All returned reached the catalogue")
	}
}

func TestURL(t *testing.T) {
	r, _ := Lookup("FT103")
	if got, want := r.URL(), "https://github.com/ftlint/ftlint/blob/main/rules/pages/FT103.md"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Names that kernels of an architecture and core kernels have, and that come close to
// those of the other architecture.
var ownNames = map[string][]string{
	"arm64": strings.Fields(`
	text_mutex __text_poke text_poke_memcpy text_poke_memset text_poke bpf_arch_text_poke poking_init
	poke_blanked_console aarch64_insn_patch_text_nosync aarch64_insn_gen_nop ftrace_call_adjust
	ftrace_caller ftrace_caller_end ftrace_regs_caller ftrace_regs_caller_end ftrace_common
	ftrace_common_end ftrace_common_return ftrace_call ftrace_graph_call ftrace_graph_caller
	ftrace_caller_direct ftrace_caller_direct_late ftrace_stub_direct_tramp ftrace_regs_entry
	function_trace_op function_trace_op_ptr ftrace_stub ftrace_replace_code ftrace_modify_code
	ftrace_nop_ops bpf_fentry_test1 fentry_dispatcher register_fentry create_trampoline alloc_tramp
	calc_trampoline_call_offset arch_ftrace_update_trampoline module_alloc native_steal_clock
	int340x_thermal_handler
	rsi rsi_init rip movw hlt ret call push pop mov int br blr brk eret bti lr sp pc
	AARCH64_INSN_SIZE MCOUNT_INSN_SIZE AARCH64_BREAK_FAULT PLT_ENTRY_SIZE JUMP_LABEL_NOP_SIZE`),
	"x86": strings.Fields(`
	text_poke text_poke_bp text_gen_insn ftrace_caller ftrace_caller_end ftrace_regs_caller ftrace_epilogue ftrace_call
	ftrace_graph_call ftrace_graph_caller ftrace_stub ftrace_stub_direct_tramp ftrace_call_adjust ftrace_modify_code_direct
	function_trace_op create_trampoline arch_ftrace_update_trampoline module_alloc flush_icache_range sync_core
	mcount __fentry__ patch_map FIX_TEXT_POKE0
	bl br b str lsl ror msr wrmsr svc smc hvc sev brk sp lr pc x0 x1 x2 x8 x15 x2apic wfe
	MCOUNT_INSN_SIZE CALL_INSN_SIZE JUMP_LABEL_NOP_SIZE`),
}

func TestIsms(t *testing.T) {
	code := map[string]*regexp.Regexp{"x86": regexp.MustCompile(`^0x[0-9a-f]{2}$`), "arm64": regexp.MustCompile(`^0x[0-9a-f]{8}$`)}
	for _, a := range arch.All {
		if IsmsIn(a.Name) == nil {
			t.Errorf("no words are looked for in code of %s", a.Name)
		}
	}
	for _, isms := range AllIsms {
		if IsmsIn(isms.In) != isms || isms.Of == isms.In || len(isms.Counted) == 0 || isms.Count == "" || isms.Stored == "" || !isms.Named.MatchString("as on "+isms.Of) {
			t.Errorf("the table of %s in %s: %+v", isms.Of, isms.In, isms)
		}
		seen := map[string]bool{}
		perRule := map[string]int{}
		for _, ism := range isms.Words {
			r, ok := Lookup(ism.Rule)
			if !ok || !strings.HasPrefix(r.Name, "x86-") {
				t.Errorf("%s: rule %q", ism.Token, ism.Rule)
			}
			perRule[ism.Rule]++
			bare := ism.Token
			if ism.Rule == "FT501" {
				bare = strings.TrimSuffix(bare, " ") // which counts as an instruction alone
			}
			if bare == "" || strings.TrimSpace(bare) != bare || seen[ism.Token] {
				t.Errorf("token %q is empty, padded or there twice", ism.Token)
			}
			seen[ism.Token] = true
			for _, own := range ownNames[isms.In] {
				if begin, ok := strings.CutSuffix(ism.Token, "*"); ism.Token == own || ok && strings.HasPrefix(own, begin) {
					t.Errorf("%s is a name of %s kernels", own, isms.In)
				}
			}
			if strings.HasPrefix(ism.Token, "0x") {
				for b := range strings.FieldsSeq(ism.Token) {
					if !code[isms.Of].MatchString(b) {
						t.Errorf("token %q: %q is not a unit of %s's code", ism.Token, b, isms.Of)
					}
				}
			}
		}
		for _, id := range []string{"FT501", "FT502", "FT503", "FT504"} {
			if perRule[id] == 0 {
				t.Errorf("%s has no tokens of %s", id, isms.Of)
			}
		}
	}
}
