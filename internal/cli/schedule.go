package cli

import "github.com/spf13/cobra"

func (a *app) scheduleCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "schedule", Short: "schedules: when a net is due, now and after a change"})
	c.AddCommand(a.schedulePreview(), a.scheduleList(), a.scheduleShow(), a.scheduleDiff(), a.schedulePause(), a.scheduleResume())
	return c
}
