package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// release is set by the linker: -ldflags "-X github.com/reeve-scheduler/reeve/internal/cli.release=1.2.3".
var release = "dev" //nolint:gochecknoglobals // the linker writes it, nobody else

func version() string { return release }

// versionInfo is what `reeve version -o json` prints.
type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	TZData   string `json:"tzdata"` // the time zone database that is part of the program
	Modules  int    `json:"modules"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version, and that of the time zone database", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versionInfo{Version: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, TZData: calendar.Builtin().Version()}
			if info, ok := debug.ReadBuildInfo(); ok {
				v.Modules = len(info.Deps)
			}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "reeve %s (%s, %s, tzdata %s)\n", v.Version, v.Go, v.Platform, v.TZData)
			})
		},
	}
}
