package calendar

// Forget lets go of the calendars that were resolved, because some have changed: they are looked up again. Zones and expressions stay, so that
// rules that are compiled later share them with those that were compiled before.
func (c *Compiler) Forget() { clear(c.days) }
