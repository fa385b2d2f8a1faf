package domain_test

import (
	"strings"
	"testing"
)

// A job may only ask for pools that the server's plan has, and has numbers for; each mistake is told at its place.
func TestApplyAsksThePortPlan(t *testing.T) {
	t.Parallel()
	s := open(t)
	const good = `net: ports/good
jobs: [{name: a, command: ["true"], ports: [{name: http, pool: containers, pair: debug}, {name: ui, pool: plain}]}]
`
	if _, err := s.service.ApplyNets(s.admin(), "good.yaml", []byte(good), false); err != nil {
		t.Fatal(err)
	}
	const bad = `net: ports/bad
jobs:
  - name: a
    command: ["true"]
    ports:
      - {name: http, pool: container}
      - {name: ui, pool: plain, pair: debug}
      - {name: far, pool: site}
    needs: [db1:1521]
`
	_, err := s.service.ApplyNets(s.admin(), "bad.yaml", []byte(bad), false)
	if err == nil {
		t.Fatal("a net was taken that asks for pools which the plan does not have")
	}
	for _, want := range []string{
		`bad.yaml:6:28: the port plan test has no pool "container"`, "containers",
		"bad.yaml:7:39: the pool plain of the port plan test gives single ports",
		"bad.yaml:8:27: the pool site of the port plan test has no numbers here (it is inactive)",
		"bad.yaml:9:12: the port plan test has no row by which an agent connects to what definitions name",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}
