package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports"
)

const bigRun = "01k2v7q4m9-000417" // the run of forty jobs

func ptr[T any](v T) *T { return &v }

// estate fills a twin with what a site has on an ordinary morning.
func estate(now time.Time) *twin {
	t := newTwin(now)
	t.domain = api.DomainInfo{
		Name: "harbour", Epoch: 3, Version: "0.1.0", Started: now.Add(-51 * time.Hour), Plan: "default", PlanHash: strings.Repeat("5e1f", 16),
		Addresses: []string{"hq1.example.com:7373"}, Fingerprint: strings.Repeat("a91c", 16),
		Counts: map[string]int{"running": 3}, Sizes: map[string]int64{"store": 48 << 20},
	}
	t.nodes = estateNodes(now)
	t.nets = estateNets(now)
	t.runs = append([]api.Run{harvest(now)}, smallRuns(now)...)
	t.facts[bigRun] = []api.Fact{
		{Reason: "job_unknown", Text: "check-east-stock is unknown: agent east1 was restarted while it ran", Since: ptr(now.Add(-4 * time.Minute)), Fix: "decide how to take it"},
		{Job: "check-east-stock", Reason: "reboot", Text: "east1 was restarted at 08:52:10 while attempt 1 ran: nobody knows how it ended", Fix: "decide: succeeded, failed or run it again"},
		{Job: "check-west-prices", Reason: "retry_delay", Text: "try 2 of 4 in 40s: exit code 75 at the first try"},
		{Job: "merge-stock", Reason: "unknown_predecessor", Text: "waits for somebody to decide check-east-stock"},
		{Job: "check-south-prices", Reason: "no_slot", Text: "both agents with site=south are full: south1 8/8, south2 8/8", Fix: "wait, or raise --slots"},
	}
	t.facts["01k2v7q4m9-000418"] = []api.Fact{{Reason: "agent_not_linked", Text: "agent dmz1 is not linked since 08:11; it is the only one with zone=dmz", Fix: "start it, or look at its log"}}
	t.facts["01k2v7q4m9-000416"] = []api.Fact{{Reason: "held", Text: "held by mara until the ledger is closed"}}
	estateOutput(t)
	estateTime(t, now)
	t.tokens = []api.Token{{ID: "tk-7f2a", Kind: "agent", Name: "north3", Labels: map[string]string{"site": "north"}, By: "mara", Expires: now.Add(11 * time.Minute), State: "valid"}}
	t.people = []api.User{
		{Name: "mara", FullName: "Mara Lindqvist", Permissions: []string{"view", "view_log", "run", "control", "define", "define_command", "manage_nodes", "manage_users", "audit"}, Created: now.Add(-900 * time.Hour)},
		{Name: "jonas", FullName: "Jonas Weber", Permissions: []string{"view", "view_log", "run"}, Folder: "estate", Created: now.Add(-400 * time.Hour)},
		{Name: "old-batch", FullName: "Old batch account", Permissions: []string{"view"}, Disabled: true, Created: now.Add(-8000 * time.Hour)},
	}
	for i := range 130 {
		t.records = append(t.records, api.AuditRecord{
			ID: int64(500 - i), At: now.Add(-time.Duration(i*7) * time.Minute), By: []string{"mara", "jonas", "local:0"}[i%3], From: []string{"10.1.4.22", "10.1.4.80", "local"}[i%3],
			Action: []string{"run.start", "net.apply", "node.drain", "login"}[i%4], Object: []string{"estate/harvest", "census/packages", "north1", "mara"}[i%4], Detail: "version 7",
		})
	}
	t.ports = api.PlanChange{
		State: "under way", From: "a91c", To: "b02d", By: "mara", Begun: ptr(now.Add(-40 * time.Second)), Deadline: ptr(now.Add(9 * time.Minute)),
		Rows:  []api.PlanChangeRow{{Row: "reeve/tcp", What: "changed", From: "7373", To: "17373"}},
		Nodes: []api.PlanChangeNode{{Name: "dmz1", Why: ptr("it is not linked")}, {Name: "north1", Confirmed: true}},
	}
	t.plan = api.PlanInfo{Plan: "default", Hash: "a91ca91c", Rows: []ports.Row{
		{ID: "reeve", Function: "Everything", Service: "reeve", Port: "7373", Protocol: "tcp", Scope: "external", Source: "agent", Destination: "server", Purpose: "links: orders, reports, output", Door: "link", Status: "works"},
		{ID: "reeve", Function: "Everything", Service: "reeve", Port: "7373", Protocol: "tcp", Scope: "external", Source: "client", Destination: "server", Purpose: "console and API", Door: "console, api", Status: "works"},
		{ID: "dns", Function: "Name resolution", Port: "53", Protocol: "udp", Scope: "external", Source: "server", Destination: "name server", Purpose: "names of hosts", Status: "foreign"},
	}}
	t.plan.Plan, t.plan.Findings = "site", []api.PlanFinding{
		{Code: "PP101", Severity: "warning", Message: "the pool callback (59870-59999) lies in the range from which Linux takes ports for outgoing connections", Suggestion: "reserve it: net.ipv4.ip_local_reserved_ports = 59870-59999", Place: "site.yaml:12:5"},
		{Code: "PP107", Severity: "note", Message: "the service name \"jobsch_win\" is not one of RFC 6335"},
	}
	t.plan.Pools = []api.Pool{
		{ID: "callback", Protocol: []string{"tcp"}, Ranges: []string{"59870-59999"}, Pick: "lru", Hold: 120, Reasons: []string{"conntrack", "late-callback"}, Status: "works", Size: 130, Leased: 31, Held: 22, Needed: 130},
		{ID: "containers", Protocol: []string{"tcp"}, Ranges: []string{"4000-4999"}, Parity: "even", Pair: "debug", Pick: "ascending", Sticky: true, Reasons: []string{}, Status: "works", Size: 12, Leased: 11, Held: 1, Needed: 20},
		{ID: "reconnect", Protocol: []string{"tcp"}, Ranges: []string{}, Pick: "ascending", Reasons: []string{}, Status: "inactive"},
	}
	t.plan.Documents = []api.PlanTarget{
		{Name: "markdown", Title: "port table, Markdown", Kind: "table"},
		{Name: "zones", Title: "zones, and who dials whom", Kind: "drawing"},
		{Name: "nftables", Title: "a firewall of the host", Kind: "rules", Undo: true},
		{Name: "sysctl", Title: "numbers kept out of the range", Kind: "system", Undo: true},
		{Name: "change-request", Title: "firewall change request", Kind: "request"},
	}
	pair, pid, why, granted, until := 4003, 4711, "conntrack", now.Add(-3*time.Hour), now.Add(80*time.Second)
	t.leases = []api.Lease{
		{ID: "l1", Name: "estate/harvest/barn/http", Pool: "containers", Protocol: []string{"tcp"}, Port: 4002, Pair: &pair, State: "listening", Owner: "attempt 01k2v7q4m9-000418/barn/1 (pid 4711)", PID: &pid, Granted: &granted},
		{ID: "l2", Name: "callback-31", Pool: "callback", Protocol: []string{"tcp"}, Port: 59991, State: "held", Owner: "command", Granted: &granted, HoldUntil: &until, HoldReason: &why},
	}
	sysctl, holder := "net.ipv4.ip_local_reserved_ports = 59870-59999", "pid 812 httpd (www-data)"
	t.checked = []api.HostFinding{
		{ID: "reeve", Service: "reeve", Port: "7373", Protocol: "tcp", State: "ours", Severity: "note", Remedies: []string{}},
		{ID: "callback", Port: "59870-59999", Protocol: "tcp", State: "ephemeral", Severity: "warning", Sysctl: &sysctl, Remedies: []string{"reserve the numbers"}, Note: "outgoing connections may take these numbers"},
		{ID: "web", Port: "9900", Protocol: "tcp", State: "taken", Severity: "error", Holder: &holder, Remedies: []string{"move that program", "give this row another number"}},
	}
	t.doors = []api.Door{{Door: "api", URLs: []string{"https://hq1.example.com:7373/api/v1"}}, {Door: "console", URLs: []string{"https://hq1.example.com:7373/"}}}
	return t
}

func estateNodes(now time.Time) []api.Node {
	node := func(name, site string, running int) api.Node {
		return api.Node{
			ID: "node-" + name, Name: name, Role: "agent", Linked: true, Labels: map[string]string{"site": site, "disk": "ssd"}, Version: "0.1.0",
			Facts: map[string]string{"host.os": "linux", "host.arch": "amd64", "host.name": name + ".example.com", "host.kernel": "6.12.0"}, Slots: 8, Running: running,
			Address: ptr("10.2.0.14:51514"), Joined: now.Add(-700 * time.Hour), Seen: ptr(now.Add(-3 * time.Second)), LinkedAt: ptr(now.Add(-30 * time.Hour)),
			Expires: ptr(now.Add(17 * time.Hour)), Renewals: 43, SkewMillis: ptr(int64(12)), PlanHash: ptr(strings.Repeat("5e1f", 16)),
		}
	}
	paths := []api.LinkPath{
		{Row: "mjsnet", Port: 9327, Turn: 1, Dials: "server", Address: ptr("10.2.0.5:9327"), State: "in vain", Since: ptr(now.Add(-49 * time.Minute)), Rounds: 31, Why: ptr("packets are dropped after hop 1 (10.1.0.254)")},
		{Row: "jmnet", Port: 9352, Turn: 2, Dials: "agent", Address: ptr("10.1.0.5:9352"), State: "unknown"},
	}
	nodes := []api.Node{node("dmz1", "dmz", 0), node("east1", "east", 1), node("north1", "north", 5), node("south1", "south", 8), node("south2", "south", 8)}
	nodes[0].Paths, nodes[1].Row, nodes[1].DialledBy = paths, ptr("jmnet"), ptr("agent")
	nodes[0].Linked, nodes[0].LinkedAt, nodes[0].Seen = false, nil, ptr(now.Add(-46*time.Minute))
	nodes[1].Notes = []string{"the host was restarted at 08:52:10 while 1 attempt ran"}
	nodes[3].Drained = ptr("mara")
	return append([]api.Node{{ID: "node-hq1", Name: "hq1", Role: "server", Linked: true, Labels: map[string]string{}, Version: "0.1.0", Joined: now.Add(-700 * time.Hour), Seen: &now}}, nodes...)
}

// harvestJobs are the forty jobs of estate/harvest.
func harvestJobs() []api.NetJob {
	var jobs []api.NetJob
	add := func(name, when string, after ...string) {
		jobs = append(jobs, api.NetJob{Name: name, After: after, When: when, Command: []string{"/opt/estate/bin/" + strings.SplitN(name, "-", 2)[0], name}, Labels: map[string]string{"site": "north"}})
	}
	sites, kinds := []string{"north", "south", "east", "west"}, []string{"orders", "stock", "prices"}
	add("prepare", "success")
	jobs[0].Agents, jobs[0].Select, jobs[0].Needs = []string{"north1", "north2"}, "next", []string{"db1:1521/tcp"}
	for _, k := range kinds {
		for _, s := range sites {
			add("fetch-"+s+"-"+k, "success", "prepare")
		}
	}
	for _, k := range kinds {
		for _, s := range sites {
			add("check-"+s+"-"+k, "success", "fetch-"+s+"-"+k)
		}
	}
	for _, k := range kinds {
		add("merge-"+k, "success", "check-north-"+k, "check-south-"+k, "check-east-"+k, "check-west-"+k)
	}
	add("load-warehouse", "success", "merge-orders", "merge-stock", "merge-prices")
	add("index", "success", "load-warehouse")
	add("reconcile", "success", "load-warehouse", "prepare")
	for _, r := range []string{"sales", "stock", "margin", "late"} {
		add("report-"+r, "success", "index", "reconcile")
	}
	add("invoice", "success", "reconcile")
	add("archive", "success", "report-sales", "report-stock", "report-margin", "report-late")
	add("publish", "success", "report-sales", "report-stock", "report-margin", "report-late", "invoice")
	add("page-duty", "failure", "load-warehouse", "publish")
	add("clean-up", "always", "archive", "publish")
	return jobs
}

func estateNets(now time.Time) []api.Net {
	text := `net: estate/harvest
description: orders, stock and prices of the four sites, merged and reported
params:
  day: yesterday
  top: "20"
jobs:
  - name: prepare
    command: [/opt/estate/bin/prepare, "${params.day}"]
    agent: {labels: {site: north}}
  - name: fetch-north-orders
    after: [prepare]
    command: [/opt/estate/bin/fetch, north, orders]
    timeout: 10m
    retry: {max: 3, delay: 1m, codes: [75]}
`
	big := api.Net{
		Name: "estate/harvest", Version: 7, Newest: 7, Hash: strings.Repeat("c0ffee42", 8), Description: "orders, stock and prices of the four sites, merged and reported",
		Params: map[string]string{"day": "yesterday", "top": "20"}, Labels: map[string]string{"owner": "sales"}, Jobs: harvestJobs(), Text: text, Applied: now.Add(-49 * time.Hour),
		By: "mara", Versions: []int{7, 6, 5, 4, 3, 2, 1},
	}
	small := func(name, about string, jobs ...string) api.Net {
		n := api.Net{Name: name, Version: 2, Newest: 2, Hash: strings.Repeat("9a", 32), Description: about, Text: "net: " + name + "\n", Applied: now.Add(-200 * time.Hour), By: "jonas", Versions: []int{2, 1}}
		for i, j := range jobs {
			one := api.NetJob{Name: j, When: "success", Command: []string{"/bin/true"}}
			if i > 0 {
				one.After = []string{jobs[i-1]}
			}
			n.Jobs = append(n.Jobs, one)
		}
		return n
	}
	return []api.Net{
		small("census/packages", "which packages are largest, from two machines", "list", "largest"),
		big, small("estate/ledger", "closes the day's ledger", "lock", "close", "report"),
		small("proxy/certificates", "renews what the reverse proxies show", "renew", "reload"),
	}
}

// harvest is the run of forty jobs, in the middle of its life.
func harvest(now time.Time) api.Run {
	start := now.Add(-9 * time.Minute)
	run := api.Run{ID: bigRun, Net: "estate/harvest", Version: 7, State: "running", By: "schedule", Schedule: ptr("nightly"), Nominal: ptr(start.Add(-192 * time.Second)), Created: start.Add(-time.Second), Started: &start, Params: map[string]string{"day": "2026-11-03", "top": "20"}}
	for _, n := range harvestJobs() {
		run.Jobs = append(run.Jobs, api.Job{Name: n.Name, After: n.After, State: "waiting", Reason: ptr("predecessors"), Since: start})
	}
	for i := range run.Jobs {
		j := &run.Jobs[i]
		agent := "north1"
		for _, site := range []string{"south", "east"} {
			if strings.Contains(j.Name, site) {
				agent = site + "1"
			}
		}
		switch {
		case j.Name == "prepare":
			try(j, agent, "succeeded", start, 21*time.Second)
		case strings.HasPrefix(j.Name, "fetch-"):
			from := start.Add(22 * time.Second)
			if j.Name == "fetch-west-orders" {
				try(j, agent, "failed", from, 70*time.Second)
				from = from.Add(130 * time.Second)
			}
			try(j, agent, "succeeded", from, time.Duration(40+i*9)*time.Second)
		case strings.HasPrefix(j.Name, "check-"):
			check(j, agent, now, i)
		}
	}
	return run
}

// check gives the jobs in the middle of the run every state there is.
func check(j *api.Job, agent string, now time.Time, i int) {
	from := now.Add(-time.Duration(200+i) * time.Second)
	switch j.Name {
	case "check-south-orders":
		try(j, agent, "warning", from, 33*time.Second)
	case "check-west-orders", "check-north-stock":
		try(j, agent, "running", now.Add(-75*time.Second), 0)
	case "check-east-stock":
		try(j, agent, "unknown", from, 50*time.Second)
		j.Reason = ptr("reboot")
	case "check-west-prices":
		try(j, agent, "failed", from, 4*time.Second)
		j.State, j.Reason, j.Due = "waiting", ptr("retry_delay"), ptr(now.Add(40*time.Second))
	case "check-south-prices":
		j.State, j.Reason = "ready", ptr("no_slot")
	case "check-west-stock":
		try(j, agent, "dispatched", now.Add(-2*time.Second), 0)
	case "check-east-prices":
		try(j, agent, "failed", from, 12*time.Second)
	default:
		try(j, agent, "succeeded", from, time.Duration(20+i)*time.Second)
	}
}

// try adds an attempt to a job, and gives the job its state.
func try(j *api.Job, agent, state string, from time.Time, took time.Duration) {
	a := api.Attempt{N: len(j.Attempts) + 1, Agent: agent, State: state, Ordered: from.Add(-300 * time.Millisecond), PID: ptr(4100 + len(j.Name)), Containment: ptr("cgroup"), CPUSeconds: took.Seconds() / 3, MaxRSS: 31 << 20, OutputBytes: 5210}
	j.State, j.Reason, j.Since = state, nil, from.Add(took)
	if state != "dispatched" {
		a.Started = &from
	}
	if state == "running" {
		a.Callback = &api.Callback{Port: 59998, State: "connected", Since: from}
	}
	switch state {
	case "succeeded", "warning", "failed":
		a.Ended, a.ExitCode = ptr(from.Add(took)), ptr(map[string]int{"succeeded": 0, "warning": 4, "failed": 75}[state])
		if state == "failed" {
			a.Reason, j.Reason = ptr("exit_code"), ptr("exit_code")
		}
		a.Outputs = map[string]string{"rows": fmt.Sprint(1200 + len(j.Name)*311)}
		a.Artifacts = []api.Artifact{{Name: j.Name + ".csv", Size: 48211, SHA256: strings.Repeat("e3b0", 16)}}
	case "unknown":
		a.Ended = ptr(from.Add(took))
	}
	j.Attempts = append(j.Attempts, a)
}

func smallRuns(now time.Time) []api.Run {
	var runs []api.Run
	add := func(n int, net, state string, age, took time.Duration) *api.Run {
		r := api.Run{ID: fmt.Sprintf("01k2v7q4m9-%06d", n), Net: net, Version: 2, State: state, By: "schedule", Created: now.Add(-age)}
		j := api.Job{Name: "list", State: state, Since: now.Add(-age)}
		if state != "waiting" && state != "held" {
			r.Started = ptr(now.Add(-age))
			try(&j, "north1", state, now.Add(-age), took)
			if ended(state) {
				r.Ended = ptr(now.Add(-age + took))
			}
		}
		r.Jobs = []api.Job{j, {Name: "largest", State: "waiting", After: []string{"list"}, Reason: ptr("predecessors"), Since: r.Created}}
		if ended(state) {
			r.Jobs[1].State, r.Jobs[1].Reason = "skipped", ptr("when")
		}
		runs = append(runs, r)
		return &runs[len(runs)-1]
	}
	add(418, "proxy/certificates", "waiting", 46*time.Minute, 0)
	add(416, "estate/ledger", "held", 65*time.Minute, 0).HeldBy = ptr("mara")
	add(415, "census/packages", "running", 2*time.Minute, 0).By = "jonas"
	add(414, "census/packages", "failed", 80*time.Minute, 41*time.Second).Reason = ptr("job_failed")
	add(413, "estate/ledger", "warning", 3*time.Hour, 6*time.Minute)
	add(412, "estate/ledger", "cancelled", 4*time.Hour, 2*time.Minute).By = "mara"
	for i := range 64 {
		add(411-i, []string{"census/packages", "estate/ledger", "proxy/certificates"}[i%3], "succeeded", time.Duration(5+i)*time.Hour/2, time.Duration(3+i*5)*time.Second)
	}
	return runs
}

func estateOutput(t *twin) {
	t.write(bigRun, "check-east-stock", 1, "stdout", "checking stock of east against the catalogue\n")
	for i := range 30 {
		t.write(bigRun, "check-east-stock", 1, "stdout", fmt.Sprintf("row %04d  \x1b[32mok\x1b[0m      pallet %06d in bay %c%d\n", i*40, 90211+i*7, 'A'+i%6, i%9))
		if i%9 == 4 {
			t.write(bigRun, "check-east-stock", 1, "stderr", fmt.Sprintf("\x1b[33mwarning:\x1b[0m bay %c is not in the plan of the hall\n", 'A'+i%6))
		}
	}
	t.logs[logKey(bigRun, "check-east-stock", 1)] = append(t.logs[logKey(bigRun, "check-east-stock", 1)], api.Log{Job: "check-east-stock", Attempt: 1, At: t.now, Stream: "gap", Lost: 3 << 20})
	t.write(bigRun, "check-east-stock", 1, "stdout", "row 1200  \x1b[1mpallets counted: 12%\x1b[0m")
	t.closed[logKey(bigRun, "check-east-stock", 1)] = true
}

// explained is what the plan knows of a row, with a little of everything.
func explained(what string) ports.Explanation {
	return ports.Explanation{
		Query: what, Plan: ports.Version{Plan: "site", Hash: "a91ca91c"}, Absent: []string{"no row of this instance has the number"},
		Rows: []ports.RowReason{{
			ID: "callback", Kind: "pool", Function: "Callback", Name: "callback", Formula: "59999 downwards", Doors: []string{"link"}, Roles: []string{"server"}, Hosts: []string{"hq1"},
			Origin: "JS-6", Was: "59000", Note: "one port for each running remote task",
			Claims:     []ports.ClaimReason{{Ports: "59870-59999", Protocol: ports.TCP, Status: ports.Works, Scope: ports.External, TLS: true, Holds: "leased from by server"}},
			Sources:    []ports.Source{{By: "flag", Key: "--set callback", Text: "not given"}, {By: "plan", Key: "callback", Value: "59870-59999", Taken: true, Text: "the plan's own"}},
			Choices:    []ports.Choice{{When: "usessl", Ports: "59870-59999", Holds: true, Taken: true}},
			Conditions: []ports.ConditionReason{{ID: "c", Text: "only where the task link is used", When: "openings.task_link"}},
			Flows:      []ports.FlowReason{{ID: "callback.1/tcp", From: "task process", To: "server", Purpose: "confirm the start and the end of the task", Carries: []string{"callback"}, Status: ports.Works, Origin: "JS-13"}},
			Statements: []ports.Statement{{Origin: "JS-3", Text: "the range follows from the largest number of remote processes", Reading: "P + ceil(R 120)"}},
		}},
		Instances: []ports.Elsewhere{{Instance: 3, Service: "callback", Protocol: ports.TCP, Ports: "59870-59999"}},
		Findings:  []ports.Diagnostic{{Code: "PP101", Severity: ports.Warning, Message: "it lies in the ephemeral range", Suggestion: "reserve it"}},
	}
}
