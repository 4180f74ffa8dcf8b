package report

import (
	"fmt"

	"github.com/ftlint/ftlint/diff"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/tracing"
)

type jsonDiff struct {
	Schema       int              `json:"schema"`
	Version      string           `json:"ftlint"`
	Old          jsonSide         `json:"old"`
	New          jsonSide         `json:"new"`
	Same         bool             `json:"same"` // nothing changed
	Lost         bool             `json:"lost"` // something can be traced no more
	Capabilities []jsonCapChange  `json:"capabilities"`
	Functions    []jsonFuncChange `json:"functions"`
	Code         []jsonCode       `json:"code"`
	Margins      []jsonMargin     `json:"margins"`
	Rules        []jsonRuleChange `json:"rules"`
}

type jsonSide struct {
	Path      string `json:"path"`
	Release   string `json:"release,omitempty"`
	BuildID   string `json:"build_id,omitempty"`
	Era       string `json:"era"`
	Callsites int    `json:"callsites"`
}

type jsonCapChange struct {
	ID  string         `json:"id"`
	Old jsonCapability `json:"old"`
	New jsonCapability `json:"new"`
}

type jsonFuncChange struct {
	Name    string    `json:"name"`
	Old     int       `json:"old"` // functions of the name
	New     int       `json:"new"`
	Lost    []jsonUse `json:"lost,omitempty"`
	Came    []jsonUse `json:"came,omitempty"`
	Unknown []jsonUse `json:"unknown,omitempty"` // one of the kernels does not say whether these are possible
}

type jsonUse struct {
	Use       string `json:"use"`
	Functions int    `json:"functions"`
	Reason    string `json:"reason,omitempty"`
	Why       string `json:"why,omitempty"`
}

type jsonCode struct {
	Name string    `json:"name"`
	Old  bool      `json:"old"` // the kernel has it
	New  bool      `json:"new"`
	Rows []jsonRow `json:"rows,omitempty"`
}

type jsonRow struct {
	Old     *jsonInsn `json:"old,omitempty"`
	New     *jsonInsn `json:"new,omitempty"`
	Differs bool      `json:"differs,omitempty"`
}

type jsonInsn struct {
	Address string `json:"address"`
	Word    string `json:"word"`
	Text    string `json:"text"`
}

type jsonMargin struct {
	Name  string `json:"name"`
	Old   int64  `json:"old"`
	New   int64  `json:"new"`
	Limit int64  `json:"limit,omitempty"`
}

type jsonRuleChange struct {
	Rule string   `json:"rule"`
	Name string   `json:"name"`
	Old  string   `json:"old"` // status
	New  string   `json:"new"`
	Came []string `json:"came,omitempty"` // headlines of findings
	Gone []string `json:"gone,omitempty"`
}

// document is the comparison as one JSON document.
func (c *Comparison) document() jsonDiff {
	side := func(path string, im *finding.ImageFacts) jsonSide {
		return jsonSide{path, im.Release, im.BuildID, im.Era, im.Callsites}
	}
	d := jsonDiff{Schema: SchemaVersion, Version: c.Version, Old: side(c.Paths[0], c.Old), New: side(c.Paths[1], c.New), Same: c.Same(), Lost: c.Lost(),
		Capabilities: []jsonCapChange{}, Functions: []jsonFuncChange{}, Code: []jsonCode{}, Margins: []jsonMargin{}, Rules: []jsonRuleChange{}}
	for _, p := range c.Capabilities {
		d.Capabilities = append(d.Capabilities, jsonCapChange{p.Old.ID, jsonCapability(p.Old), jsonCapability(p.New)})
	}
	for _, f := range c.Functions {
		d.Functions = append(d.Functions, jsonFuncChange{f.Name, len(f.Old), len(f.New), jsonUses(f.Lost), jsonUses(f.Came), jsonUses(f.Unknown)})
	}
	for _, code := range c.Code {
		j := jsonCode{Name: code.Name, Old: code.Has[0], New: code.Has[1]}
		for _, r := range code.Rows {
			j.Rows = append(j.Rows, jsonRow{insnOf(r.Old), insnOf(r.New), r.Differs})
		}
		d.Code = append(d.Code, j)
	}
	for _, m := range c.Margins {
		d.Margins = append(d.Margins, jsonMargin(m))
	}
	for _, r := range c.Rules {
		was, _ := Status(r.Old)
		is, _ := Status(r.New)
		d.Rules = append(d.Rules, jsonRuleChange{r.ID, r.Name, was, is, r.Came, r.Gone})
	}
	return d
}

func jsonUses(list []diff.Use) (out []jsonUse) {
	for _, u := range list {
		j := jsonUse{Use: u.Use.String(), Functions: u.N}
		if u.Why != (tracing.Answer{}) {
			j.Reason, j.Why = u.Why.Why.String(), u.Why.Text()
		}
		out = append(out, j)
	}
	return out
}

func insnOf(l *diff.Line) *jsonInsn {
	if l == nil {
		return nil
	}
	return &jsonInsn{fmt.Sprintf("%#x", l.Addr), l.Word, l.Text}
}
