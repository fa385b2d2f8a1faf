package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Options are the handler's. Zero values are replaced by what the comments say.
type Options struct {
	Log         *slog.Logger // slog.Default
	MaxStreams  int          // watchers and readers of output at once: 256
	MaxRequests int          // other requests at once: 512
	Beat        time.Duration
	WriteTime   time.Duration // what a reader may take for one write of a stream: 10 s
	Health      func(context.Context) error
	Metrics     func(context.Context) ([]byte, error) // in the text format of Prometheus
	NetSchema   []byte                                // the JSON Schema of nets
	Extra       []Extra

	CalendarSchema []byte // the JSON Schema of calendars
}

// Extra is a route that who builds the server handles: joining and renewing. It passes the same gate.
type Extra struct {
	Route   Route
	Handler http.Handler
}

// Handler is the API. It is safe for use by several goroutines.
type Handler struct {
	svc      Service
	gate     *access.Gate
	opts     Options
	mux      *http.ServeMux
	routes   map[string]Route // by pattern: what is not here is not answered
	list     []Route
	cross    *http.CrossOriginProtection
	streams  chan struct{}
	requests chan struct{}
	backups  chan struct{}
	openapi  []byte
}

// New builds the handler of all routes. It fails where a route does not say which permission it needs and where that
// is decided, or stands there twice.
func New(svc Service, gate *access.Gate, o Options) (*Handler, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.MaxStreams, o.MaxRequests = orElse(o.MaxStreams, 256), orElse(o.MaxRequests, 512)
	o.Beat, o.WriteTime = orElse(o.Beat, 15*time.Second), orElse(o.WriteTime, 10*time.Second)
	h := &Handler{
		svc: svc, gate: gate, opts: o,
		mux: http.NewServeMux(), routes: map[string]Route{}, cross: http.NewCrossOriginProtection(),
		streams: make(chan struct{}, o.MaxStreams), requests: make(chan struct{}, o.MaxRequests), backups: make(chan struct{}, 1),
	}
	doc, err := h.mount(h.table())
	if err != nil {
		return nil, err
	}
	h.openapi = doc
	return h, nil
}

func orElse[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// mount registers the routes and returns the OpenAPI document.
func (h *Handler) mount(table []entry) (doc []byte, err error) {
	defer func() { // huma and ServeMux panic over routes that contradict each other: to us that is a route to correct
		if r := recover(); r != nil {
			err = fmt.Errorf("mounting routes: %v", r)
		}
	}()
	api := humago.New(h.mux, config())
	problem := api.OpenAPI().Components.Schemas.Schema(problemGoType(), true, "Problem")
	for _, e := range table {
		if err := h.admit(&e.Route); err != nil {
			return nil, err
		}
		op := e.operation()
		op.Responses["default"] = &huma.Response{
			Description: "what went wrong",
			Content:     map[string]*huma.MediaType{problemType: {Schema: problem}},
		}
		e.register(api, op)
	}
	for _, x := range h.opts.Extra {
		x.Route.Extra = true
		if err := h.admit(&x.Route); err != nil {
			return nil, err
		}
		h.mux.Handle(x.Route.pattern(), x.Handler)
	}
	return document(api.OpenAPI())
}

// admit completes a route, checks it and enters it in the table.
func (h *Handler) admit(r *Route) error {
	r.Timeout = orElse(r.Timeout, defaultTimeout)
	if r.MaxBody == 0 {
		r.MaxBody = mib
		if r.public() {
			r.MaxBody = maxBeforeLogin
		}
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("route %s: %w", r.pattern(), err)
	}
	if _, twice := h.routes[r.pattern()]; twice {
		return fmt.Errorf("route %s: it stands there twice", r.pattern())
	}
	h.routes[r.pattern()] = *r
	h.list = append(h.list, *r)
	return nil
}

// Routes returns the table of routes, in its order.
func (h *Handler) Routes() []Route { return append([]Route(nil), h.list...) }

// Door returns the handler behind a path filter: only what these doors open. "api" opens all.
func (h *Handler) Door(names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, names...) })
}

// ServeHTTP implements http.Handler: the door api.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "api") }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, doors ...string) {
	defer h.contain(r)
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")

	x := &exchange{w: w, r: r, log: h.opts.Log}
	route, err := h.authorize(x, doors)
	if err != nil {
		x.told(err).write(w)
		return
	}
	room := h.requests
	if route.Stream {
		room = h.streams
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	default:
		x.told(fault.New(fault.Busy, "the server has as many requests in hand as it takes", "try again in a moment")).write(w)
		return
	}
	h.answer(x, route)
}

// authorize is the only way to a handler. It answers who asks, and whether that subject may use the route at all.
func (h *Handler) authorize(x *exchange, doors []string) (Route, error) {
	if err := h.cross.Check(x.r); err != nil {
		return Route{}, fault.New(fault.Forbidden, "the request comes from a page of another site", "")
	}
	_, pattern := h.mux.Handler(x.r)
	route, known := h.routes[pattern]
	known = known && opens(doors, route)
	if known && route.public() {
		return route, nil
	}
	var err error
	if x.subject, err = h.gate.Authenticate(x.r); err != nil {
		return Route{}, err
	}
	if access.ByCookie(x.r) && !sameOrigin(x.r) {
		return Route{}, fault.New(fault.Forbidden, "the request comes from a page of another site", "")
	}
	if !known {
		return Route{}, h.noRoute(x.r, doors)
	}
	if !x.subject.Holds(route.Permission) {
		return Route{}, fault.Newf(fault.Forbidden, "this needs the permission %s", route.Permission)
	}
	if route.Where == Whole && !x.subject.May(route.Permission, "") {
		return Route{}, fault.Newf(fault.Forbidden, "this needs the permission %s for all folders, not only for %s", route.Permission, x.subject.Folder)
	}
	return route, nil
}

// sameOrigin keeps what a browser asks for with a session from being drawn into another site's page, also where no
// state changes. Clients that are no browsers do not send the header.
func sameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

// opens reports whether one of the doors opens a route.
func opens(doors []string, route Route) bool {
	return slices.Contains(doors, "api") || slices.Contains(doors, route.Door) || route.Peer && slices.Contains(doors, "peers")
}

// noRoute tells a wrong path from a wrong method. ServeMux knows, and says so only by answering.
func (h *Handler) noRoute(r *http.Request, doors []string) error {
	path := r.Method + " " + r.URL.Path
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := h.mux.Handler(other); h.routes[pattern].Method == method && opens(doors, h.routes[pattern]) {
			return problemOfStatus(http.StatusMethodNotAllowed, path+" is not among the routes; "+method+" is")
		}
	}
	return fault.Newf(fault.NotFound, "%s is not among the routes", path)
}

func (h *Handler) answer(x *exchange, route Route) {
	rc := http.NewResponseController(x.w)
	ctx := WithSubject(x.r.Context(), x.subject)
	if route.Stream {
		// A server-wide bound on reading would end the stream; writes have theirs one by one.
		_ = rc.SetReadDeadline(time.Time{})
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, route.Timeout)
		defer cancel()
		// What cannot be set (a recorder in a test) leaves the server's own bound in force.
		_ = rc.SetWriteDeadline(time.Now().Add(route.Timeout + h.opts.WriteTime))
		if x.r.ContentLength != 0 {
			_ = rc.SetReadDeadline(time.Now().Add(route.Timeout))
		}
	}
	x.r = x.r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, route.MaxBody+2)
	h.mux.ServeHTTP(x.w, x.r)
}

// contain turns a panic of one request into a line in the log and a broken connection: other requests go on.
func (h *Handler) contain(r *http.Request) {
	rec := recover()
	if rec == nil {
		return
	}
	if err, ok := rec.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		if r.Context().Err() == nil { // else huma panics because it cannot write to a client that has gone
			h.opts.Log.LogAttrs(r.Context(), slog.LevelError, "a request panicked", slog.String("method", r.Method),
				slog.String("path", r.URL.Path), slog.Any("panic", rec), slog.String("stack", string(debug.Stack())))
		}
	}
	panic(http.ErrAbortHandler)
}

// exchange is what a handler may need of the request beside its typed input.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	subject access.Subject
	log     *slog.Logger
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// told returns what the client is told about err, and logs what it is not told.
func (x *exchange) told(err error) *Problem {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError && x.r.Context().Err() == nil {
		x.log.LogAttrs(x.r.Context(), slog.LevelError, "a request ended in an error of ours", slog.String("method", x.r.Method),
			slog.String("path", x.r.URL.Path), slog.Any("error", err))
	}
	return p
}

// may decides a route that is Named: folder is that of the net which the request names.
func may(ctx context.Context, p access.Permission, net string) error {
	s := SubjectOf(ctx)
	if s.May(p, Folder(net)) {
		return nil
	}
	return fault.Newf(fault.Forbidden, "this needs the permission %s for %s", p, net)
}

// Folder returns the folder of a net by its name: all before the last slash.
func Folder(net string) string {
	if i := strings.LastIndexByte(net, '/'); i >= 0 {
		return net[:i]
	}
	return ""
}

// Limits sets on a server the bounds that the API counts on: how long a request's head may take and how big it may
// be, and how long a connection may be idle. It leaves alone what is set already.
func Limits(s *http.Server) {
	s.ReadHeaderTimeout = orElse(s.ReadHeaderTimeout, 5*time.Second)
	s.ReadTimeout = orElse(s.ReadTimeout, time.Minute)
	s.WriteTimeout = orElse(s.WriteTimeout, time.Minute)
	s.IdleTimeout = orElse(s.IdleTimeout, 2*time.Minute)
	s.MaxHeaderBytes = orElse(s.MaxHeaderBytes, 32<<10)
}
