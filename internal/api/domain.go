package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (h *Handler) domainRoutes() []entry {
	view := func(path, id, summary, door string) Route {
		return get(path, id, summary).needs(access.View, Whole).behind(door)
	}
	control := func(verb, summary string) entry {
		r := post("/domain/"+verb, verb+"-domain", summary).needs(access.Control, Whole).behind("api")
		return handle(r, h.controlDomain(verb))
	}
	health := Route{Method: http.MethodGet, Path: "/healthz", ID: "health", Summary: "Say whether the server works."}
	openapi := get("/openapi.json", "openapi", "This document.").needs(access.Known, Nobody).behind("api")
	return []entry{
		handle(view("/domain", "show-domain", "Show the domain and this server.", "api").forPeers(), h.domain),
		control("hold", "Hold the domain: no attempt is started."),
		control("release", "Release the domain."),
		handle(view("/doors", "list-doors", "Say where each door is.", "api"), h.doors),
		streaming(get("/watch", "watch", "Tell of each change that the subject may view, as server-sent events.").needs(access.View, Object).behind("nets"),
			h.watch, eventStream[Change]("change")),
		streaming(post("/backup", "backup", "Write a backup, as a tar stream. It needs manage_nodes as well: it holds the domain's keys.").
			needs(access.ManageUsers, Whole).behind("api"), h.backup, bytesOf("application/x-tar")),
		handle(openapi, h.showOpenAPI),
		handle(Route{Method: http.MethodGet, Path: "/metrics", ID: "metrics", Summary: "Measure what the server does, in the text format of Prometheus."}.
			needs(access.View, Whole).behind("metrics"), h.metrics),
		handle(health.needs(access.Public, Nobody).behind("metrics"), h.health),
	}
}

func (h *Handler) domain(ctx context.Context, _ *nothing) (*body[DomainInfo], error) {
	return answer(h.svc.Domain(ctx))
}

// DomainOrder holds or releases the domain.
type DomainOrder struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

func (h *Handler) controlDomain(verb string) func(context.Context, *struct{ Body DomainOrder }) (*body[DomainInfo], error) {
	return func(ctx context.Context, in *struct{ Body DomainOrder }) (*body[DomainInfo], error) {
		return answer(h.svc.ControlDomain(ctx, verb, in.Body.Reason))
	}
}

func (h *Handler) doors(ctx context.Context, _ *nothing) (*body[[]Door], error) {
	return answer(h.svc.Doors(ctx))
}

func (h *Handler) watch(context.Context, *nothing) (*huma.StreamResponse, error) {
	return h.stream(func(x *exchange) {
		pump(h, x, feedOf("change", true), func(ctx context.Context, emit func(Change) error) error {
			return h.svc.Watch(ctx, "", emit)
		})
	}), nil
}

func (h *Handler) backup(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
	if !SubjectOf(ctx).May(access.ManageNodes, "") {
		return nil, fault.Newf(fault.Forbidden, "this needs the permission %s too", access.ManageNodes)
	}
	select {
	case h.backups <- struct{}{}:
	default:
		return nil, fault.New(fault.Busy, "a backup is being written already", "wait until it has ended")
	}
	return h.stream(func(x *exchange) {
		defer func() { <-h.backups }()
		h.sendBytes(x, "application/x-tar", h.svc.Backup)
	}), nil
}

func (h *Handler) showOpenAPI(context.Context, *nothing) (*huma.StreamResponse, error) {
	return written("application/openapi+json", h.openapi), nil
}

// metricsType is that of Prometheus's text format.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

func (h *Handler) metrics(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
	if h.opts.Metrics == nil {
		return written(metricsType, nil), nil
	}
	text, err := h.opts.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	return written(metricsType, text), nil
}

// Health is the answer of a server that works. It tells strangers nothing else.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

func (h *Handler) health(ctx context.Context, _ *nothing) (*body[Health], error) {
	if h.opts.Health != nil {
		if err := h.opts.Health(ctx); err != nil {
			exchangeOf(ctx).log.LogAttrs(ctx, slog.LevelWarn, "not healthy", slog.Any("error", err))
			return nil, problemOfStatus(http.StatusServiceUnavailable, "the server does not work as it should")
		}
	}
	return answer(Health{Status: "ok"}, nil)
}
