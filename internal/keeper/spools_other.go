//go:build !linux

package keeper

// Spools returns an error of kind Invalid on this platform.
func (*Client) Spools() ([]Size, error) { return nil, unsupported() }
