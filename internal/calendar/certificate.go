package calendar

// Certificate returns how an occurrence came about, step by step, for people: the wall time that the rule means, the fields for
// gaps and overlaps, the calendar's word on its day, shift, jitter.
func (r *Rule) Certificate(o Occurrence) []string { return nil }
