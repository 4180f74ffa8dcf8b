package world

import (
	"errors"
)

// Printers are the functions that print a message. Their first argument is the
// format.
var Printers = []string{"_printk", "printk", "__warn_printk"}

// errStackSmashed is the error of a call of __stack_chk_fail().
var errStackSmashed = errors.New("the stack protector found the stack overwritten")

// hookCommon makes the stand-ins that every World has: printing, locks, and the
// stack protector.
func (w *World) hookCommon() {
	w.Hook(w.Returns(clobbered|0x11), Printers...) // they return a number of characters, or nothing
	w.Hook(func(string) error { return w.result(1) }, "___ratelimit")
	w.Hook(w.Returns(clobbered|0x11), // they return nothing
		"dump_stack", "mutex_lock", "mutex_unlock", "mutex_lock_nested", "_raw_spin_unlock_irqrestore",
		"__rcu_read_lock", "__rcu_read_unlock", "preempt_schedule", "preempt_schedule_notrace")
	w.Hook(w.Returns(0), "_raw_spin_lock_irqsave", "__module_text_address", "__module_address", "lockdep_assert_held", "rcu_read_lock_any_held", "_dev_printk")
	w.Hook(func(string) error { return errStackSmashed }, "__stack_chk_fail")
}
