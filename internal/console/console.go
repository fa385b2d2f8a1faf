// Package console answers: what does a person see of Reeve in a browser, and what can be done there?
//
// Pages are rendered by the server from embedded templates, ask the same api.Service as the command line, and are
// complete without script. One small module makes them live: it listens to the console's own event stream, fetches
// the page again and patches what changed. Nothing of a page comes from anywhere but this handler, and nothing that
// a job, an agent or a person wrote is ever markup.
package console

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// Config is what a console needs.
type Config struct {
	// Service is asked with the subject that the server's middleware put into the request's context (api.WithSubject).
	Service api.Service
	// Login checks name and password for who sends r, ends the session that r still shows, and returns the new one's
	// cookie. Its errors are faults: Unauthenticated, Busy. nil: there is no login page, and who is nobody gets 401.
	Login func(r *http.Request, name, password string) (*http.Cookie, error)
	// Logout ends the session of r and returns the cookie that removes the session's cookie; it may return nil.
	Logout func(r *http.Request) *http.Cookie
	// Log is told what cannot be told to the person; nil: slog.Default.
	Log *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Zones are the time zones of agendas and schedules; nil: those that are embedded in this program.
	Zones Zones
	// StreamLife is how long an event stream lasts before the browser must ask for it again, and so shows its session
	// again: a session that was ended sees nothing more after it. 0: 2 minutes.
	StreamLife time.Duration
}

type console struct {
	service    api.Service
	login      func(r *http.Request, name, password string) (*http.Cookie, error)
	logout     func(r *http.Request) *http.Cookie
	log        *slog.Logger
	now        func() time.Time
	zones      Zones
	zoneList   template.HTML // the choices of zones, which are many and the same on every page
	streamLife time.Duration
	pages      pages
	assets     assets
	keeper     keeper
}

// New builds the console. Its handler serves everything below "/", and expects the subject in the request's context.
func New(cfg Config) (http.Handler, error) {
	if cfg.Service == nil {
		return nil, errors.New("building console: no service")
	}
	c := &console{
		service: cfg.Service, login: cfg.Login, logout: cfg.Logout, log: cfg.Log, now: cfg.Now, zones: cfg.Zones, streamLife: cfg.StreamLife,
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.zones == nil {
		c.zones = calendar.Builtin()
	}
	c.zones = &zoneBook{Zones: c.zones, read: map[string]*time.Location{}}
	if c.streamLife <= 0 {
		c.streamLife = 2 * time.Minute
	}
	var err error
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = loadPages(c.assets); err != nil {
		return nil, err
	}
	if c.zoneList, err = c.listZones(); err != nil {
		return nil, err
	}
	return c.guard(c.routes()), nil
}

// route is one thing that the console answers. need is what a subject must have somewhere to be let in at all; the
// service decides about the object. A route without it is public.
type route struct {
	pattern string
	need    access.Permission
	do      func(*console, http.ResponseWriter, *http.Request) error
}

// table is all that the console answers. A test walks it.
func table() []route {
	return []route{
		{"GET /{$}", access.View, (*console).today},
		{"GET /nets", access.View, (*console).nets},
		{"GET /nets/{name...}", access.View, (*console).net},
		{"GET /runs", access.View, (*console).runs},
		{"GET /runs/{id}", access.View, (*console).run},
		{"GET /runs/{id}/output", access.ViewLog, (*console).outputFile},
		{"GET /nodes", access.View, (*console).nodes},
		{"GET /nodes/{name}", access.View, (*console).node},
		{"GET /directory", access.View, (*console).directory},
		{"GET /ports", access.View, (*console).ports},
		{"GET /ports/proofs", access.View, (*console).proofs},
		{"GET /ports/why/{what...}", access.View, (*console).port},
		{"GET /ports/documents/{target}", access.View, (*console).paper},
		{"GET /agenda", access.View, (*console).agenda},
		{"GET /schedules", access.View, (*console).schedules},
		{"GET /schedules/{what...}", access.View, (*console).schedule},
		{"GET /missed", access.View, (*console).missedList},
		{"GET /calendars", access.View, (*console).calendars},
		{"GET /calendars/{name...}", access.View, (*console).calendar},
		{"GET /why", access.View, (*console).why},
		{"GET /forecast", access.View, (*console).forecast},
		{"GET /audit", access.Audit, (*console).audit},
		{"GET /users", access.ManageUsers, (*console).users},
		{"GET /live", access.View, (*console).live},

		{"POST /runs", access.Run, (*console).startRun},
		{"POST /runs/{id}/{verb}", access.View, (*console).controlRun}, // the service knows which verb needs what
		{"POST /schedules/{verb}", access.Control, (*console).steerSchedule},
		{"POST /occurrences/release", access.Run, actOn("release")},
		{"POST /occurrences/dismiss", access.Control, actOn("dismiss")},
		{"POST /occurrences/cancel", access.Control, actOn("cancel")},
		{"POST /missed/release", access.Run, (*console).releaseMissed},
		{"POST /missed/dismiss", access.Control, (*console).dismissMissed},
		{"POST /overrides/add", access.Run, override("add")},
		{"POST /overrides/move", access.Control, override("move")},
		{"POST /overrides/skip", access.Control, override("skip")},
		{"POST /overrides/hold", access.Control, override("hold")},
		{"POST /overrides/{id}/drop", access.Control, (*console).dropOverride},
		{"POST /nodes", access.ManageNodes, (*console).enrolNode},
		{"POST /nodes/discover", access.ManageNodes, (*console).discover},
		{"POST /nodes/{name}/{verb}", access.ManageNodes, (*console).controlNode},
		{"POST /tokens", access.ManageNodes, (*console).createToken},
		{"POST /tokens/{id}/revoke", access.ManageNodes, (*console).revokeToken},
		{"POST /domain/{verb}", access.Control, (*console).controlDomain},
		{"POST /ports/change/commit", access.ManagePorts, (*console).commitPorts},
		{"POST /ports/change/cancel", access.ManagePorts, (*console).cancelPorts},
		{"POST /ports/verify", access.ManagePorts, (*console).verifyPorts},
		{"POST /ports/verify/{id}/cancel", access.ManagePorts, (*console).cancelVerify},
		{"POST /leases/{id}/release", access.ManagePorts, (*console).releaseLease},
		{"POST /users", access.ManageUsers, (*console).createUser},
		{"POST /users/{name}/{verb}", access.ManageUsers, (*console).changeUser},

		{"GET /login", access.Public, (*console).showLogin},
		{"POST /login", access.Public, (*console).doLogin},
		{"POST /logout", access.Public, (*console).doLogout},
		{"POST /theme", access.Public, (*console).theme},
		{"GET /assets/{file...}", access.Public, (*console).asset},
		{"GET /favicon.ico", access.Public, (*console).favicon},
	}
}

func (c *console) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range table() {
		mux.Handle(r.pattern, c.open(r))
	}
	mux.Handle("/", c.open(route{"/", access.View, (*console).missing}))
	return mux
}
