package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/formats.md names each field of json and jsonl.
func TestFieldsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## json and jsonl\n")
	section, _, _ = strings.Cut(section, "\n## ")
	n := 0
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for field := range typ.Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				n++
				if !strings.Contains(section, "`"+name+"`") {
					t.Errorf("docs/formats.md does not name the field %s", name)
				}
			}
			check(field.Type)
		}
	}
	check(reflect.TypeFor[jsonInput]())
	if n < 30 {
		t.Errorf("%d fields: the test looks at too little", n)
	}
}
