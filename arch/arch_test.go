package arch

import (
	"strings"
	"testing"
)

// symbolSets are the symbols near the ftrace entry code of real kernels, and of
// configurations that are legitimate.
var symbolSets = []struct {
	name    string
	era     *Era
	symbols string
}{
	{"5.4, gcc without patchable entries", Mcount, `
		_mcount ftrace_caller ftrace_call ftrace_graph_call ftrace_graph_caller ftrace_stub return_to_handler
		ftrace_make_call ftrace_make_nop ftrace_enable_ftrace_graph_caller ftrace_return_to_handler`},
	{"5.4 without fgraph", Mcount, `
		_mcount ftrace_caller ftrace_call ftrace_stub ftrace_make_call ftrace_make_nop`},
	{"5.4, ftrace not dynamic", Mcount, `
		_mcount ftrace_graph_caller ftrace_stub return_to_handler ftrace_return_to_handler`},
	{"Debian bullseye, 5.10", RegsEra, `
		ftrace_update_ftrace_func ftrace_make_call ftrace_modify_call ftrace_init_nop ftrace_make_nop
		arch_ftrace_update_code prepare_ftrace_return ftrace_enable_ftrace_graph_caller
		ftrace_disable_ftrace_graph_caller ftrace_regs_caller ftrace_caller ftrace_common ftrace_call
		ftrace_graph_call ftrace_common_return ftrace_graph_caller ftrace_stub ftrace_stub_graph
		return_to_handler arch_ftrace_update_trampoline ftrace_return_to_handler function_trace_op`},
	{"5.10 without fgraph", RegsEra, `
		ftrace_make_call ftrace_regs_caller ftrace_caller ftrace_common ftrace_call ftrace_common_return
		ftrace_stub arch_ftrace_update_trampoline function_trace_op`},
	{"Debian bookworm, 6.1", RegsEra, `
		ftrace_update_ftrace_func ftrace_make_call ftrace_modify_call ftrace_init_nop ftrace_make_nop
		arch_ftrace_update_code prepare_ftrace_return ftrace_graph_func ftrace_regs_caller ftrace_caller
		ftrace_common ftrace_call ftrace_stub ftrace_stub_graph return_to_handler
		arch_ftrace_update_trampoline ftrace_enable_ftrace_graph_caller ftrace_disable_ftrace_graph_caller
		ftrace_return_to_handler function_trace_op`},
	{"6.2 without CALL_OPS", Args, `
		ftrace_call_adjust ftrace_make_call prepare_ftrace_return ftrace_graph_func ftrace_caller ftrace_call
		ftrace_stub ftrace_stub_graph return_to_handler ftrace_return_to_handler function_trace_op`},
	{"6.2 without CALL_OPS and fgraph", Args, `
		ftrace_make_call ftrace_caller ftrace_call ftrace_stub function_trace_op`},
	{"Debian trixie, 6.12", Callops, `
		ftrace_call_adjust ftrace_update_ftrace_func ftrace_make_call ftrace_modify_call ftrace_init_nop
		ftrace_make_nop arch_ftrace_update_code prepare_ftrace_return ftrace_graph_func ftrace_caller
		ftrace_caller_direct_late ftrace_caller_direct ftrace_stub_direct_tramp ftrace_stub ftrace_stub_graph
		return_to_handler ftrace_find_rec_direct arch_ftrace_update_trampoline ftrace_return_to_handler
		ftrace_nop_ops ftrace_list_ops`},
	{"Debian forky, 7.2", Callops, `
		ftrace_call_adjust arch_ftrace_get_symaddr ftrace_update_ftrace_func ftrace_make_call
		ftrace_modify_call ftrace_init_nop ftrace_make_nop arch_ftrace_update_code prepare_ftrace_return
		ftrace_graph_func ftrace_caller ftrace_caller_direct_late ftrace_caller_direct
		ftrace_stub_direct_tramp ftrace_stub ftrace_stub_graph return_to_handler ftrace_find_rec_direct
		arch_ftrace_update_trampoline ftrace_return_to_handler ftrace_nop_ops ftrace_list_ops`},
	{"6.12 without fgraph and direct calls", Callops, `
		ftrace_call_adjust ftrace_make_call ftrace_caller ftrace_stub ftrace_nop_ops ftrace_list_ops`},
	{"6.12, local symbols stripped", Callops, `
		ftrace_call_adjust ftrace_make_call ftrace_caller ftrace_stub_direct_tramp ftrace_stub
		ftrace_stub_graph return_to_handler ftrace_find_rec_direct ftrace_return_to_handler`},
	{"the 2020 RFC", Dyntramp, `
		ftrace_make_call ftrace_regs_caller ftrace_regs_caller_end ftrace_caller ftrace_caller_end
		ftrace_common function_trace_op_ptr ftrace_call ftrace_graph_call ftrace_common_return
		ftrace_common_end ftrace_graph_caller ftrace_stub return_to_handler ftrace_return_to_handler
		arch_ftrace_update_trampoline function_trace_op`},
	{"the 2020 RFC without fgraph", Dyntramp, `
		ftrace_make_call ftrace_regs_caller ftrace_regs_caller_end ftrace_caller ftrace_caller_end
		ftrace_common function_trace_op_ptr ftrace_call ftrace_common_return ftrace_common_end ftrace_stub
		arch_ftrace_update_trampoline function_trace_op`},
}

func TestLabels(t *testing.T) {
	noticed := map[*Era]map[string]bool{}
	for _, set := range symbolSets {
		t.Run(set.name, func(t *testing.T) {
			symbols := map[string]bool{}
			for s := range strings.FieldsSeq(set.symbols) {
				symbols[s] = true
			}
			has := func(s string) bool { return symbols[s] }
			missing := func(l Label) bool { return l.NeededIn(has) && !has(l.Name) }
			for _, l := range set.era.Labels {
				if missing(l) {
					t.Errorf("%s is called missing", l.Name)
				}
			}
			if noticed[set.era] == nil {
				noticed[set.era] = map[string]bool{}
			}
			for _, l := range set.era.Labels {
				if !l.NeededIn(has) {
					continue
				}
				symbols[l.Name] = false
				if !missing(l) {
					t.Errorf("without %s nothing is called missing", l.Name)
				}
				symbols[l.Name] = true
				noticed[set.era][l.Name] = true
			}
		})
	}
	for _, era := range ARM64.Eras {
		for _, l := range era.Labels {
			if !noticed[era][l.Name] {
				t.Errorf("era %v: no sample needs %s", era, l.Name)
			}
		}
	}
}

func TestLabelTable(t *testing.T) {
	if l := None.Labels; l != nil {
		t.Errorf("era none has labels: %v", l)
	}
	for _, era := range ARM64.Eras {
		seen := map[string]bool{}
		for _, l := range era.Labels {
			if l.Name == "" || l.Role == "" || l.NeededBy == "" || seen[l.Name] {
				t.Errorf("era %v: label %+v is incomplete or there twice", era, l)
			}
			seen[l.Name] = true
		}
	}
	// Dyntramp's labels are RegsEra's and more, and must not be appended to them.
	if n := len(RegsEra.Labels); n != 8 {
		t.Errorf("era regs has %d labels", n)
	}
}
