package agent

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// ErrNoCalendars says that a folder is none of an agent that servers have given a view.
var ErrNoCalendars = errors.New("this is not the data folder of an agent that was linked")

// Calendars finds the calendars that servers gave the agent whose data folder this is: it needs neither of them. ErrNoCalendars.
func Calendars(data string) (calendar.Lookup, error) {
	path := (&folder{path: data}).file(viewFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoCalendars
	}
	var kept wire.View
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	found := map[string]*calendar.Definition{}
	for _, one := range kept.Calendars {
		def := &calendar.Definition{}
		if err = json.Unmarshal(one, def); err != nil {
			break
		}
		found[def.Name] = def
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading the agent's calendars, "+path, err)
	}
	return func(name string) (*calendar.Definition, bool) {
		def, ok := found[name]
		return def, ok
	}, nil
}
