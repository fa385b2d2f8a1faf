package render

import (
	"fmt"
	"strings"
)

// script is a program for the POSIX shell, for targets that are several files or commands. Running it again changes
// nothing.
type script struct{ strings.Builder }

// newScript begins with where the script comes from, and more comments.
func (g gate) newScript(comments ...string) *script {
	s := &script{}
	s.WriteString("#!/bin/sh\n" + g.stamp("#"))
	if !g.in.Undo {
		s.WriteString(strings.Join(comments, "") + g.gaps("#"))
	}
	s.say("\nset -eu")
	return s
}

func (s *script) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// heredoc hands a text to a command. No line of the text may be END.
func (s *script) heredoc(command, text string) {
	s.say("%s <<'END'\n%s\nEND", command, strings.TrimRight(text, "\n"))
}

func (s *script) bytes() []byte { return []byte(s.String()) }

// shellWord quotes a word for the shell.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
