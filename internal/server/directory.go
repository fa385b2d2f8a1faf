package server

import (
	"context"
	"errors"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// accounts shows the store's people to package access.
type accounts struct {
	store store.Store
	epoch int64
}

var _ access.Directory = accounts{}

func missing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fault.Wrap(fault.NotFound, "looking it up", err)
	}
	return err
}

func permissions(names []string) []access.Permission {
	out := make([]access.Permission, len(names))
	for i, n := range names {
		out[i] = access.Permission(n)
	}
	return out
}

func (d accounts) User(ctx context.Context, name string) (access.User, error) {
	u, err := d.store.User(ctx, name)
	if err != nil {
		return access.User{}, missing(err)
	}
	return access.User{Name: u.Name, Password: u.Password, Permissions: permissions(u.Permissions), Folder: u.Folder, Disabled: u.Disabled, Changed: u.Changed}, nil
}

func (d accounts) Token(ctx context.Context, id string) (access.Token, error) {
	t, err := d.store.Token(ctx, id)
	if err == nil && t.Kind != "api" {
		err = store.ErrNotFound
	}
	if err != nil {
		return access.Token{}, missing(err)
	}
	return access.Token{ID: t.ID, Hash: t.Hash, Scope: permissions(t.Scope), Folder: t.Folder, Owner: t.Owner, Expires: t.Expires, Revoked: t.Revoked}, nil
}

func (d accounts) Session(ctx context.Context, hash string) (access.Session, error) {
	s, err := d.store.Session(ctx, hash)
	if err != nil {
		return access.Session{}, missing(err)
	}
	return access.Session(s), nil
}

func (d accounts) SaveSession(ctx context.Context, s access.Session) error {
	_, err := d.store.Commit(ctx, store.Batch{Epoch: d.epoch, Sessions: []store.SessionWrite{{Session: store.Session(s)}}})
	return err
}

func (d accounts) DropSession(ctx context.Context, hash string) error {
	_, err := d.store.Commit(ctx, store.Batch{Epoch: d.epoch, Sessions: []store.SessionWrite{{Session: store.Session{Hash: hash}, Delete: true}}})
	return err
}
