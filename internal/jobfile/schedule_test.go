package jobfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A colon without a space behind it is part of a text, wherever it stands.
func TestTextsWithColons(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"net: a/b\nschedules: [{name: x, dates: [2026-12-24T06:00, 2026-12-25T06:00:30], blackouts: [{from: 22:00, until: 06:00}]}]\njobs: [{name: x, command: [echo, a:b], needs: [db1:1521]}]\n",
		"net: a/b\nschedules:\n  - name: x\n    dates:\n      - 2026-12-24T06:00\n      - 2026-12-25T06:00:30\n    blackouts:\n      - from: 22:00\n        until: 06:00\n" +
			"jobs:\n  - name: x\n    command: [echo, a:b]\n    needs: [db1:1521]\n",
	} {
		nets, err := Parse("x", []byte(text))
		if err != nil {
			t.Error(err)
			continue
		}
		s, j := nets[0].Schedules[0], nets[0].Jobs[0]
		if diff := cmp.Diff([]string{"2026-12-24T06:00", "2026-12-25T06:00:30"}, s.Dates); diff != "" {
			t.Error(diff)
		}
		if s.Blackouts[0].From != "22:00" || s.Blackouts[0].Until != "06:00" || j.Command[1] != "a:b" || j.Needs[0] != "db1:1521" {
			t.Errorf("got %+v and %+v", s, j)
		}
	}
	for _, text := range []string{"{a: 1}", "{a:1}", "[a: 1]", "{\"a\":1}"} {
		if _, err := Parse("x", []byte("net: a/b\nschedules: [{name: x, dates: ["+text+"]}]\njobs: [{name: x, command: [echo]}]\n")); err == nil {
			t.Errorf("dates takes %s", text)
		}
	}
}
