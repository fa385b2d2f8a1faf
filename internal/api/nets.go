package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (h *Handler) netRoutes() []entry {
	apply := post("/nets", "apply-nets", "Store the nets and calendars of files of definitions: all, or none.").needs(access.Define, Object).behind("nets")
	apply.MaxBody = maxDefinition
	return []entry{
		handle(get("/nets", "list-nets", "List nets at their newest version, by name.").needs(access.View, Object).behind("nets"), h.listNets),
		handle(apply, h.applyNets),
		handle(get("/nets/{net...}", "show-net", "Show a version of a net. The name's slashes may stand as they are.").needs(access.View, Named).behind("nets"), h.showNet),
		handle(get("/schemas/net", "net-schema", "The JSON Schema of definitions of nets.").needs(access.Known, Nobody).behind("nets"), h.netSchema),
	}
}

func (h *Handler) listNets(ctx context.Context, in *struct {
	Folder string `query:"folder" maxLength:"255"`
},
) (*body[[]NetSummary], error) {
	return answer(h.svc.ListNets(ctx, in.Folder))
}

type applyInput struct {
	FileNames
	DryRun  bool   `query:"dry_run" doc:"show the difference and store nothing"`
	RawBody []byte `contentType:"application/yaml"`
}

func (h *Handler) applyNets(ctx context.Context, in *applyInput) (*body[ApplyResult], error) {
	files, err := in.files(in.RawBody)
	if err != nil {
		return nil, err
	}
	return answer(h.svc.ApplyNets(ctx, files[0].Name, files[0].Text, in.DryRun, files[1:]...))
}

type netInput struct {
	Net     string `path:"net" maxLength:"255"`
	Version int    `query:"version" minimum:"0" doc:"0 or absent: the newest"`
}

func (h *Handler) showNet(ctx context.Context, in *netInput) (*body[Net], error) {
	if err := may(ctx, access.View, in.Net); err != nil {
		return nil, err
	}
	return answer(h.svc.Net(ctx, in.Net, in.Version))
}

func (h *Handler) netSchema(context.Context, *nothing) (*huma.StreamResponse, error) {
	if len(h.opts.NetSchema) == 0 {
		return nil, fault.New(fault.NotFound, "this server has no schema of nets", "use reeve net schema")
	}
	return written("application/schema+json", h.opts.NetSchema), nil
}
