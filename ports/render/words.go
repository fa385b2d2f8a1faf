package render

import (
	"fmt"

	"github.com/reeve-scheduler/reeve/ports"
)

// words are the headings and fixed words of one language. What comes from a plan or an inventory stays as it is.
type words struct {
	lang string

	portsOf                                              string // with the plan
	plan, instance, inventory, host, role, service, hash string
	external, sameHost, remote                           string // headings, by scope
	conditions, notes, statements, reading, sockets      string
	yes, no, notStated, notAssigned                      string

	columns map[string]string // by the names of ports.Columns
	status  map[ports.Status]string

	man     manWords
	pool    poolWords
	vendor  vendorWords
	request requestWords
	drawing drawingWords
}

// manWords are the sections that every manual page has.
type manWords struct{ name, description string }

// poolWords are those of the ranges to lease from.
type poolWords struct {
	title, pool, numbers, parity, size, order, pair, hold, sticky string
	even, odd, up, down, lru, random                              string
}

// requestWords are those of a change request.
type requestWords struct {
	title, summary, change, source, destination, reason, owner, expires, flow string
	added, removed, unchanged                                                 string
	between, within, zone                                                     string // with zones
	noZone, noZones, firewall                                                 string
	anywhere, unknown, nobody, unlimited, nothing, withoutTitle, without      string
}

// drawingWords are those of the drawings.
type drawingWords struct {
	sequence, zones  string // with the plan, or the inventory
	undirected, more string // with names, with a number
	legend, dials    string
	outside          string
}

// wordsOf returns the words of a locale: en (or empty), de or ja.
func wordsOf(locale string) (words, error) {
	switch locale {
	case "", "en":
		return english(), nil
	case "de":
		return german(), nil
	case "ja":
		return japanese(), nil
	}
	return words{}, fmt.Errorf("%w %q: it is en, de or ja", ErrLocale, locale)
}
