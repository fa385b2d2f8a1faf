//go:build !linux

package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/ports/ledger"
)

func handOn(ledger.Grant, string, []string) error {
	return errors.New("handing on sockets to a command is only built for Linux")
}

func (a *app) portsHand() *cobra.Command { return &cobra.Command{Use: "hand", Hidden: true} }
