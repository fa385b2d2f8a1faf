package jobnet

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of a definition. They stand far above what people write, and below what would hurt a server.
const (
	MaxJobs        = 10_000
	MaxPorts       = 32       // ports of one job
	MaxSchedules   = 256      // of one net
	MaxRule        = 2 << 10  // bytes of a schedule's rule, zone or calendar
	MaxDates       = 4096     // dates, working days or blackouts of one schedule
	MaxNeeds       = 16       // destinations that one job needs
	MaxAgents      = 64       // names of agents, of which one runs a job
	MaxName        = 63       // bytes of a job's, parameter's, label's or agent's name
	MaxNetName     = 200      // bytes, folders included
	MaxEntries     = 256      // params, env variables, labels, artifacts or codes of one net or job
	MaxArguments   = 4096     // of one command
	MaxValue       = 64 << 10 // bytes of one argument, parameter or env value: execve takes less than 128 KiB
	MaxScript      = 1 << 20  // bytes
	MaxDescription = 4 << 10  // bytes
	MaxFile        = 1024     // bytes of an artifact's name
	MaxRetries     = 1000     // of one job
	MaxOutput      = 1 << 40  // bytes
	maxDays        = 366      // of a time-out or a delay
	maxSkip        = 24 * time.Hour
	maxOutputName  = 128
	maxUser        = 255  // bytes of run_as
	maxHostName    = 253  // bytes of a host's name
	maxProblems    = 1000 // that Check goes on to collect
	maxSegment     = 255  // bytes of one segment of an artifact's name: what file systems take
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// form reports whether s begins with one of first, goes on with rest only, and is no longer than most.
func form(s, first, rest string, most int) bool {
	if s == "" || len(s) > most || !strings.ContainsRune(first, rune(s[0])) {
		return false
	}
	return strings.Trim(s, rest) == "" // every byte is of rest, or something is left
}

func isJobName(s string) bool   { return form(s, lower, lower+digits+"-", MaxName) }
func isPoolID(s string) bool    { return form(s, lower+digits, lower+digits+"-", MaxName) }
func isParamName(s string) bool { return form(s, lower, lower+digits+"_", MaxName) }

// isOutputName reports whether s can be the name of an output: what the keeper takes from $REEVE_OUTPUT.
func isOutputName(s string) bool {
	return form(s, lower+upper+"_", lower+upper+digits+"_-", maxOutputName)
}
func isEnvName(s string) bool { return form(s, lower+upper+"_", lower+upper+digits+"_", MaxName) }

func isAgentName(s string) bool {
	return form(s, lower+upper+digits, lower+upper+digits+"._-", MaxName)
}

func isLabelName(s string) bool {
	return form(s, lower+upper+digits, lower+upper+digits+"._/-", MaxName)
}

func isUserName(s string) bool {
	return form(s, lower+upper+"_", lower+upper+digits+"_.@-", maxUser)
}

// netNameProblem says what is wrong with the name of a net; empty: nothing.
func netNameProblem(s string) string {
	switch {
	case s == "":
		return "a net needs a name, as folder/name"
	case len(s) > MaxNetName:
		return fmt.Sprintf("the name of a net has at most %d characters, this one has %d", MaxNetName, len(s))
	}
	for segment := range strings.SplitSeq(s, "/") {
		if !form(segment, lower+digits, lower+digits+"._-", MaxNetName) {
			return fmt.Sprintf("%q is not a name for a net: write folder/name, each part of small letters, digits, '.', '_' and '-', "+
				"beginning with a letter or a digit", clip(s))
		}
	}
	return ""
}

// fileProblem says what is wrong with the name of an artifact; empty: nothing.
func fileProblem(s string) string {
	switch {
	case s == "":
		return "a file needs a name"
	case len(s) > MaxFile:
		return fmt.Sprintf("the name of a file has at most %d bytes, this one has %d", MaxFile, len(s))
	case !utf8.ValidString(s) || strings.ContainsFunc(s, isControl):
		return fmt.Sprintf("%q is not a name for a file: it holds a control character or is not UTF-8", clip(s))
	case strings.Contains(s, `\`):
		return fmt.Sprintf("%q is not a name for a file: its parts are separated by '/', on every system", clip(s))
	case s[0] == '/':
		return fmt.Sprintf("%q is absolute: a file is named relative to the working folder", clip(s))
	}
	for segment := range strings.SplitSeq(s, "/") {
		switch {
		case segment == "..":
			return fmt.Sprintf("%q leaves the working folder: '..' is not allowed", clip(s))
		case segment == "" || segment == ".":
			return fmt.Sprintf("%q is not in its shortest form: leave out empty parts and '.'", clip(s))
		case len(segment) > maxSegment:
			return fmt.Sprintf("%q: one part of a file's name has at most %d bytes", clip(s), maxSegment)
		}
	}
	return ""
}

// textProblem says what is wrong with a text that a program will receive; empty: nothing.
func textProblem(s string, most int) string {
	switch {
	case len(s) > most:
		return fmt.Sprintf("is %d bytes long, at most %d", len(s), most)
	case strings.Contains(s, "\x00"):
		return "holds a NUL character, which no program can be given"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// clip shortens what is quoted in a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
