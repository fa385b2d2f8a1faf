//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// syncFolder makes the names in a folder durable.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	return nil
}
