package sqlite

// syncFolder has nothing to do: NTFS journals names by itself, and a folder cannot be synced.
func syncFolder(string) error { return nil }
