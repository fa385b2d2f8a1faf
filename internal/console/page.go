package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

//go:embed templates assets
var embedded embed.FS

// pages are the templates by name, each complete with its frame.
type pages map[string]*template.Template

// assets are the files that pages name, by a path that changes with their content.
type assets struct {
	files map[string][]byte
	sum   string
}

func loadAssets() (assets, error) {
	a := assets{files: map[string][]byte{}}
	entries, err := fs.ReadDir(embedded, "assets")
	if err != nil {
		return a, fmt.Errorf("reading the console's assets: %w", err)
	}
	sum := sha256.New()
	for _, e := range entries {
		content, err := embedded.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			return a, fmt.Errorf("reading the console's assets: %w", err)
		}
		a.files[e.Name()] = content
		sum.Write(content)
	}
	a.sum = hex.EncodeToString(sum.Sum(nil))[:16]
	return a, nil
}

func (a assets) path(name string) string { return "/assets/" + a.sum + "/" + name }

func loadPages(a assets) (pages, error) {
	names, err := fs.Glob(embedded, "templates/page-*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the console's templates: %w", err)
	}
	out := pages{}
	for _, name := range names {
		t := template.New("frame.html").Option("missingkey=error").Funcs(template.FuncMap{
			"asset": a.path, "moment": moment, "span": span, "size": size, "pairs": pairs, "known": known, "reason": reasonText,
			"runPath": runPath, "nodePath": nodePath, "netPath": netPath, "userPath": userPath, "jobPath": jobPath,
			"portPath": portPath, "verdictState": verdictState, "verdictWord": verdictWord, "deref": deref, "schedulePath": schedulePath, "timePages": timePages, "daysPath": daysPath, "row": rowIn, "command": isCommand, "decisionStyle": decisionStyle, "whyPath": whyPath, "nominal": nominalText, "objectPath": objectPath, "join": strings.Join, "since": func(a, b time.Time) string { return span(b.Sub(a)) },
		})
		if t, err = t.ParseFS(embedded, "templates/frame.html", "templates/parts.html", name); err != nil {
			return nil, fmt.Errorf("reading the console's templates: %w", err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(path.Base(name), "page-"), ".html")] = t
	}
	return out, nil
}

// view is what every template is given; Data is the page's own.
type view struct {
	Title   string
	Section string // of the navigation
	Subject access.Subject
	Domain  *api.DomainInfo
	Notice  string
	Theme   string
	Path    string // of this page with its query, to come back to
	Now     time.Time
	Events  string // address of the event stream; empty: the page is not live
	Pace    int    // milliseconds between two fetches of a live page at least, where making it costs much; 0: the script's own
	Data    any
}

// May reports whether the subject may do something in a folder; templates hide what it may not.
func (v view) May(permission, folder string) bool {
	return v.Subject.May(access.Permission(permission), folder)
}

// MayNet is May for the folder of a net.
func (v view) MayNet(permission, net string) bool { return v.May(permission, folderOf(net)) }

// page renders a page.
func (c *console) page(w http.ResponseWriter, r *http.Request, name string, v view) error {
	c.fill(r, &v)
	return c.write(w, http.StatusOK, name, v)
}

// fill adds what every page shows.
func (c *console) fill(r *http.Request, v *view) {
	v.Subject = api.SubjectOf(r.Context())
	v.Now = c.now()
	if v.Path = "/"; r.Method == http.MethodGet {
		v.Path = r.URL.RequestURI()
	}
	v.Notice = noticeText(r.URL.Query().Get("did"))
	if cookie, err := r.Cookie(themeCookie); err == nil && (cookie.Value == "dark" || cookie.Value == "light") {
		v.Theme = cookie.Value
	}
	if v.Domain == nil && v.Subject.Name != "" {
		if d, err := c.service.Domain(r.Context()); err == nil {
			v.Domain = &d
		}
	}
}

func (c *console) write(w http.ResponseWriter, status int, name string, v view) error {
	var b bytes.Buffer
	t := c.pages[name]
	if t == nil {
		return fmt.Errorf("rendering a page: no template named %q", name)
	}
	if err := t.Execute(&b, v); err != nil {
		return fmt.Errorf("rendering a page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	if err != nil {
		c.log.Debug("page not taken", slog.String("page", name), slog.Any("error", err))
	}
	return nil
}

// statusOf is the console's table of error kinds.
func statusOf(kind fault.Kind) (status int, title string) {
	switch kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity, "That is not valid"
	case fault.Finding:
		return http.StatusUnprocessableEntity, "Something is wrong with it"
	case fault.Unreachable:
		return http.StatusBadGateway, "It cannot be reached"
	case fault.Unauthenticated:
		return http.StatusUnauthorized, "Please log in"
	case fault.Forbidden:
		return http.StatusForbidden, "Not allowed"
	case fault.NotFound:
		return http.StatusNotFound, "Not found"
	case fault.Conflict, fault.Unknown:
		return http.StatusConflict, "Not possible now"
	case fault.Busy:
		return http.StatusTooManyRequests, "Too busy"
	case fault.Disk:
		return http.StatusInsufficientStorage, "No room on the disk"
	case fault.Internal, fault.Interrupted:
	}
	return http.StatusInternalServerError, "Something went wrong here"
}

// problem is what an error page shows.
type problem struct {
	Status   int
	Text     string
	Fix      string
	Mistakes fault.Mistakes
}

// trouble answers with an error page. What nobody classified is logged, and not shown: it may hold anything.
func (c *console) trouble(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the browser has gone
	}
	kind := fault.KindOf(err)
	status, title := statusOf(kind)
	p := problem{Status: status}
	var f *fault.Error
	switch {
	case errors.As(err, &p.Mistakes):
		p.Text = "the text has mistakes"
	case kind == fault.Internal:
		c.log.Error("console", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
		p.Text, p.Fix = "the server met an error of its own", "its log says more"
	case errors.As(err, &f):
		p.Text, p.Fix = f.Msg, f.Fix
		if f.Err != nil {
			p.Text += ": " + f.Err.Error()
		}
	}
	v := view{Title: title, Data: p}
	c.fill(r, &v)
	if err := c.write(w, status, "trouble", v); err != nil {
		c.log.Error("console", slog.Any("error", err))
		http.Error(w, title, status)
	}
}

// missing answers every path that is nobody's.
func (c *console) missing(http.ResponseWriter, *http.Request) error {
	return fault.New(fault.NotFound, "there is no such page", "start again at Today")
}

// asset serves the embedded files. Their path changes with their content, so they may be kept for ever.
func (c *console) asset(w http.ResponseWriter, r *http.Request) error {
	sum, name, _ := strings.Cut(r.PathValue("file"), "/")
	content, ok := c.assets.files[name]
	if !ok || sum != c.assets.sum {
		return c.missing(w, r)
	}
	kind := "application/octet-stream"
	switch path.Ext(name) { // not by the machine's own table, which a site may have changed
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(content) // whoever went away needs no answer
	return nil
}

// favicon serves browsers that ask at the old place.
func (c *console) favicon(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(c.assets.files["favicon.svg"])
	return nil
}

// back sends the browser on after an act, with a notice of what was done.
func back(w http.ResponseWriter, r *http.Request, to, did string) error {
	if did != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + "did=" + did
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// noticeText says what was done; the list is closed, so that a link cannot put words into the console's mouth.
func noticeText(did string) string {
	switch did {
	case "started":
		return "The run was ordered."
	case "cancel":
		return "Cancelling was asked for: what runs is told to end, what has not started never will."
	case "hold":
		return "Held: nothing more is started until it is released."
	case "release":
		return "Released."
	case "decided":
		return "The decision is stored."
	case "drain":
		return "Draining: this node gets no new attempts; what runs there goes on."
	case "undrain":
		return "This node takes attempts again."
	case "label":
		return "The label is set."
	case "enrolled":
		return "The agent is a node of the domain now; the server keeps a link to it."
	case "removed":
		return "The node was removed from the domain."
	case "revoked":
		return "The token was revoked."
	case "lease":
		return "The lease was given back: its number is held for as long as its pool says, and then free."
	case "added", "moved", "skipped", "heldback", "dropped", "withdrawn", "dismissed", "recovered", "paused", "resumed":
		return timeNotice(did)
	case "change":
		return "The change of ports was ended as it was asked."
	case "user":
		return "The user was saved."
	case "deleted":
		return "The user was deleted."
	case "logout":
		return "You are logged out."
	}
	return ""
}

// timeNotice says what was done about schedules and occurrences.
func timeNotice(did string) string {
	switch did {
	case "added":
		return "Added to the agenda."
	case "moved":
		return "Moved: it is due at the new time."
	case "skipped":
		return "It will be skipped: when it falls due it is cancelled."
	case "heldback":
		return "Held back: it stays pending until it is released."
	case "dropped":
		return "Taken back: the schedule's own rule holds again."
	case "withdrawn":
		return "Cancelled: it will not be released."
	case "dismissed":
		return "Dismissed: nothing is to be done about it."
	case "recovered":
		return "Released: each is a run of its own now, and stays missed."
	case "paused":
		return "Paused: what falls due is suppressed until it is resumed."
	case "resumed":
		return "Resumed: what falls due is released again."
	}
	return ""
}
