// Package docs answers: do the documents say what the program does?
//
// It has tests only. The pages below docs/reference are written from the code by
//
//	go test ./internal/docs -run TestReference -update
//
// and without -update compared with it. The other tests hold what is written by hand against what there is: links,
// dependencies, commands.
package docs
