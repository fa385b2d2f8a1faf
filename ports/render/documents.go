package render

// documents are the targets that people read.
func documents() []Target { return nil }
