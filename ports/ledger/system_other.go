//go:build !unix

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// errNotBuilt is what the ledger says where there are neither kernel locks that die with their holder nor sockets that
// can be handed on.
var errNotBuilt = errors.New("leases are not built for this system: they need Linux")

func noRoom(doing string, err error) error { return fmt.Errorf("%s: %w", doing, err) }

type flock struct{}

func openLock(string) (*flock, error)                    { return nil, errNotBuilt }
func (*flock) close()                                    {}
func (*flock) lock(context.Context, time.Duration) error { return errNotBuilt }
func (*flock) current() bool                             { return false }
func (*flock) unlock()                                   {}
func syncData(f *os.File) error                          { return f.Sync() }
func lockByte(*os.File, int64) bool                      { return true }
func unlockByte(*os.File, int64)                         {}
func lockHolder(*os.File) string                         { return "another process" }
func bootID() string                                     { return "" }
func sinceBoot() time.Duration                           { return 0 }
func networkSpace() uint64                               { return 0 }
func processSpace() uint64                               { return 0 }
func startOf(int) (start uint64, ended bool, err error)  { return 0, false, errNotBuilt }
func gone(int) bool                                      { return false }
