package planfile

import "github.com/reeve-scheduler/reeve/ports"

// Excerpt shows the line of a place in a document's text, with the one before it and a caret below the column; empty
// if the text has no such line. Every line of it is indented.
func Excerpt(text []byte, at ports.Place) string {
	return newNotes("", oneBreak(text)).excerpt(at)
}
