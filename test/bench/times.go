package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

const (
	manyNets      = 1000 // of manySchedules each
	manySchedules = 100
	applied       = 100 // nets in a file
	burst         = 10_000
	agendaDay     = 50_000
	agendaPages   = 200
)

// measureSchedules measures a server with a hundred thousand schedules, of which none is due meanwhile.
func measureSchedules(ctx context.Context, b *bench) error {
	s, err := b.open(ctx, "schedules")
	if err != nil {
		return err
	}
	// Half a day away, so that nothing of it is due while it is measured.
	hour := (time.Now().UTC().Hour() + 12) % 24
	if err := s.fill(ctx, manyNets, func(net, schedule int) string {
		return fmt.Sprintf("{name: s%d, cron: \"%d %d * * *\", zone: Europe/Berlin}", schedule, (net*7+schedule)%60, hour)
	}); err != nil {
		return err
	}
	if err := s.server.end(); err != nil {
		return err
	}
	began := time.Now()
	if err := s.start(ctx); err != nil {
		return err
	}
	ready := time.Since(began)
	if _, err := s.settled(ctx); err != nil {
		return err
	}
	rss, err := resident(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	const idle = 20 * time.Second
	used := onCPU(s.server.cmd.Process.Pid)
	if err := rest(ctx, idle); err != nil {
		return err
	}
	share := float64(onCPU(s.server.cmd.Process.Pid)-used) / float64(idle)
	const memory, patience, processor = 150_000_000, 2 * time.Second, 0.01
	light, quick, calm := rss <= memory, ready <= patience, share <= processor
	b.table.add(row{figure: "100,000 schedules: resident memory of the server", measured: mb(rss), limit: "-", ratio: "-", reach: "≤ " + mb(memory), reached: &light})
	b.table.add(row{figure: "100,000 schedules: start to ready", measured: seconds(ready), limit: "-", ratio: "-", reach: "≤ " + seconds(patience), reached: &quick})
	b.table.add(row{figure: "100,000 schedules: idle", measured: fmt.Sprintf("%.2f %% of a core", 100*share), limit: "-", ratio: "-", reach: "≤ 1 %", reached: &calm})
	b.table.note("**100,000 schedules**: %d nets with %d daily schedules each, applied to a server that was then started anew; nothing was due within the measurement. Idle is the processor time over %s.", manyNets, manySchedules, idle)
	return s.stop()
}

// fill applies nets of manySchedules schedules and one job.
func (s *site) fill(ctx context.Context, nets int, schedule func(net, schedule int) string) error {
	var text strings.Builder
	for n := range nets {
		fmt.Fprintf(&text, "net: many/n%d\nschedules:\n", n)
		for k := range manySchedules {
			text.WriteString("  - " + schedule(n, k) + "\n")
		}
		text.WriteString("jobs:\n  - {name: one, command: [/bin/true]}\n---\n")
		if (n+1)%applied == 0 || n == nets-1 {
			if _, err := s.client.ApplyNets(ctx, "many", []byte(strings.TrimSuffix(text.String(), "---\n")), false); err != nil {
				return fmt.Errorf("applying nets with schedules: %w", err)
			}
			text.Reset()
		}
	}
	return nil
}

// measureBurst has ten thousand nets due in the same second.
func measureBurst(ctx context.Context, b *bench) error {
	s, err := b.mainSite(ctx)
	if err != nil {
		return err
	}
	before, err := forks(plainJobs)
	if err != nil {
		return err
	}
	due := time.Now().UTC().Add(time.Minute).Truncate(time.Second)
	var text strings.Builder
	for n := range burst {
		fmt.Fprintf(&text, "net: burst/n%d\nschedules: [{name: at, dates: [%q]}]\njobs: [{name: one, command: [/bin/true]}]\n---\n", n, due.Format("2006-01-02T15:04:05"))
		if (n+1)%1000 != 0 {
			continue
		}
		if _, err := s.client.ApplyNets(ctx, "burst", []byte(strings.TrimSuffix(text.String(), "---\n")), false); err != nil {
			return fmt.Errorf("applying %d nets: %w", n+1, err)
		}
		text.Reset()
	}
	if late := time.Until(due); late < 2*time.Second {
		return fmt.Errorf("applying took so long that only %s were left", late)
	}
	if err := rest(ctx, time.Until(due)); err != nil {
		return err
	}
	used := s.work()
	if err := s.over(ctx, due); err != nil {
		return err
	}
	var spent work
	spent.add(s.work(), used)
	runs, err := s.burstRuns(ctx)
	if err != nil {
		return err
	}
	after, err := forks(plainJobs)
	if err != nil {
		return err
	}
	var late samples
	var last time.Time
	for i := range runs {
		late = append(late, runs[i].Created.Sub(due))
		if runs[i].Started.After(last) {
			last = *runs[i].Started
		}
	}
	slices.Sort(late)
	alone := time.Duration(float64(burst) / ((before + after) / 2) * float64(time.Second))
	took := last.Sub(due)
	ratio := float64(took) / float64(alone)
	const most = 1.6
	good, prompt := ratio <= most, late.at(0.99) <= time.Second
	b.table.add(row{figure: "10,000 due in one second: all dispatched", measured: seconds(took), limit: seconds(alone) + " (their processes alone)", ratio: fmt.Sprintf("%.2f", ratio), reach: fmt.Sprintf("≤ %.1f", most), reached: &good})
	b.table.add(row{figure: "10,000 due in one second: released late by, p99", measured: fmt.Sprintf("%s (p50 %s)", seconds(late.at(0.99)), seconds(late.at(0.5))), limit: "-", ratio: "-", reach: "≤ 1.000 s", reached: &prompt})
	b.table.note("**10,000 due in one second**: so many nets of one job `/bin/true` with a date each; server, agent (%d slots) and keeper share the machine. Every run is read back: each must have succeeded, once. Their processes alone: %d plain executions with 2 workers, measured just before and after. Released: the run's creation against its due. Processor time for a job: %s; plain: %.0f µs of two processors.", slots, plainJobs, spent.per(burst), 4e6/(before+after))
	return nil
}

// over waits until every run of the burst has ended.
func (s *site) over(ctx context.Context, due time.Time) error {
	if err := rest(ctx, time.Until(due)+2*time.Second); err != nil {
		return err
	}
	// One state after the other: the newest run is the last that waits, and is found at once; to find one that is running among
	// ten thousand that wait would be work of the server's that nobody has asked for but this program.
	for _, state := range []string{"waiting", "running"} {
		for {
			open, err := s.client.ListRuns(ctx, api.RunQuery{Folder: "burst", States: []string{state}, Limit: 1})
			if err != nil {
				return err
			}
			if len(open) == 0 {
				break
			}
			if err := rest(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// burstRuns reads every run of the burst back.
func (s *site) burstRuns(ctx context.Context) ([]api.RunSummary, error) {
	var all []api.RunSummary
	for before := ""; ; {
		page, err := s.client.ListRuns(ctx, api.RunQuery{Folder: "burst", Limit: 1000, Before: before})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		before = page[len(page)-1].ID
	}
	seen := map[string]bool{}
	for i := range all {
		if all[i].State != "succeeded" || all[i].Started == nil || seen[all[i].Net] {
			return nil, fmt.Errorf("run %s of %s is %s, or one of several", all[i].ID, all[i].Net, all[i].State)
		}
		seen[all[i].Net] = true
	}
	if len(all) != burst {
		return nil, fmt.Errorf("%d runs of %d", len(all), burst)
	}
	return all, nil
}

// measureAgenda asks for the console's page of a day on which 50,000 are due, as a browser would.
func measureAgenda(ctx context.Context, b *bench) error {
	s, err := b.open(ctx, "agenda")
	if err != nil {
		return err
	}
	if err := s.fill(ctx, agendaDay/manySchedules, func(net, schedule int) string {
		return fmt.Sprintf("{name: s%d, cron: \"%d %d * * *\"}", schedule, (net+schedule)%60, (net*3+schedule*7)%24)
	}); err != nil {
		return err
	}
	client, base, err := s.browser(ctx)
	if err != nil {
		return err
	}
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	var took samples
	for i := range agendaPages {
		query := url.Values{"day": {tomorrow}}
		switch i % 4 {
		case 1:
			query.Set("net", fmt.Sprintf("many/n%d", i))
		case 2:
			query.Set("zone", "America/New_York")
		}
		began := time.Now()
		text, err := fetch(ctx, client, base+"/agenda?"+query.Encode())
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
		if i == 0 && !strings.Contains(strings.NewReplacer(",", "", "\u202f", "", "\u00a0", "", " ", "").Replace(text), fmt.Sprint(agendaDay)) {
			return fmt.Errorf("the page of the agenda does not say that %d are due", agendaDay)
		}
	}
	slices.Sort(took)
	const limit = 300 * time.Millisecond
	good := took.at(0.95) <= limit
	b.table.add(row{figure: "agenda page, a day with 50,000 occurrences, p95", measured: fmt.Sprintf("%s (p50 %s)", ms(took.at(0.95)), ms(took.at(0.5))), limit: "-", ratio: "-", reach: "≤ " + ms(limit), reached: &good})
	b.table.note("**Agenda page**: %d schedules that are due once tomorrow; %d pages of the console over HTTPS, one after the other, a quarter of them of one net and a quarter in another zone.", agendaDay, agendaPages)
	return s.stop()
}

// browser logs in to the console, and returns a client with the session and the console's address.
func (s *site) browser(ctx context.Context) (*http.Client, string, error) {
	doors, err := s.client.Doors(ctx)
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(doors, func(d api.Door) bool { return d.Door == "console" && len(d.URLs) > 0 })
	if i < 0 {
		return nil, "", errors.New("there is no console")
	}
	at, err := url.Parse(doors[i].URLs[0])
	if err != nil {
		return nil, "", err
	}
	base := "https://127.0.0.1:" + at.Port()
	password, err := os.ReadFile(filepath.Join(s.data(), "admin-password"))
	if err != nil {
		return nil, "", err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, "", err
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, //nolint:gosec // a server that this program has just started, on loopback
	}}
	form := url.Values{"name": {"admin"}, "password": {strings.TrimSpace(string(password))}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	return client, base, resp.Body.Close()
}

func fetch(ctx context.Context, client *http.Client, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() // read only
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, resp.Status)
	}
	return string(text), err
}
