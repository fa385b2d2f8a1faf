package domain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// ListUsers implements api.Service.
func (s *Service) ListUsers(ctx context.Context) ([]api.User, error) {
	if _, err := s.may(ctx, access.ManageUsers, ""); err != nil {
		return nil, err
	}
	users, err := s.cfg.Store.ListUsers(ctx)
	if err != nil {
		return nil, storeFault(err)
	}
	out := make([]api.User, len(users))
	for i, u := range users {
		out[i] = showUser(u)
	}
	return out, nil
}

// CreateUser implements api.Service.
func (s *Service) CreateUser(ctx context.Context, in api.SaveUser) (api.User, error) {
	who, err := s.may(ctx, access.ManageUsers, "")
	if err != nil {
		return api.User{}, err
	}
	if !nodeName.MatchString(in.Name) {
		return api.User{}, fault.New(fault.Invalid, fmt.Sprintf("%q is not a user name", in.Name), "a user name is [a-z0-9][a-z0-9-]*, at most 63 long")
	}
	if in.Password == nil {
		return api.User{}, fault.New(fault.Invalid, "the user has no password", "give one of at least 12 characters")
	}
	if _, err := s.cfg.Store.User(ctx, in.Name); err == nil {
		return api.User{}, fault.New(fault.Conflict, "there is a user "+in.Name+" already", "choose another name, or change that user")
	} else if !errors.Is(err, store.ErrNotFound) {
		return api.User{}, storeFault(err)
	}
	return s.saveUser(ctx, who, store.User{Name: in.Name, Created: s.cfg.Now()}, in, "user.create")
}

// ChangeUser implements api.Service. People may change their own password; everything else is for who manages users.
func (s *Service) ChangeUser(ctx context.Context, in api.SaveUser) (api.User, error) {
	who := api.SubjectOf(ctx)
	onlyPassword := in.Password != nil && in.FullName == nil && in.Permissions == nil && in.Folder == nil && in.Disabled == nil
	own := who.Name != "" && who.Name == in.Name && who.Token == ""
	if !onlyPassword || !own {
		var err error
		if who, err = s.may(ctx, access.ManageUsers, ""); err != nil {
			return api.User{}, err
		}
	}
	u, err := s.user(ctx, in.Name)
	if err != nil {
		return api.User{}, err
	}
	if err := outranks(who, u); err != nil && !own {
		return api.User{}, err
	}
	return s.saveUser(ctx, who, u, in, "user.change")
}

func (s *Service) user(ctx context.Context, name string) (store.User, error) {
	u, err := s.cfg.Store.User(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return u, fault.New(fault.NotFound, "there is no user "+name, "see `reeve user list`")
	}
	return u, storeFault(err)
}

// outranks refuses who manages users and has less than the user in question: a new password would make them that user.
func outranks(who access.Subject, u store.User) error {
	for _, p := range u.Permissions {
		if !who.May(access.Permission(p), "") {
			return fault.New(fault.Forbidden, fmt.Sprintf("%s has the permission %s, and %s has not", u.Name, p, who.Name), "ask who has all that this user has")
		}
	}
	return nil
}

const (
	minPassword = 12
	maxPassword = 200
)

func (s *Service) saveUser(ctx context.Context, who access.Subject, u store.User, in api.SaveUser, action string) (api.User, error) {
	if in.FullName != nil {
		u.FullName = *in.FullName
	}
	if in.Folder != nil {
		u.Folder = *in.Folder
	}
	if in.Disabled != nil {
		u.Disabled, u.Changed = *in.Disabled, s.cfg.Now()
	}
	if in.Permissions != nil {
		for _, p := range *in.Permissions {
			if !slices.Contains(access.Permissions(), access.Permission(p)) {
				return api.User{}, fault.New(fault.Invalid, fmt.Sprintf("there is no permission %q", p), fmt.Sprint("permissions: ", access.Permissions()))
			}
			if !who.May(access.Permission(p), "") {
				return api.User{}, fault.New(fault.Forbidden, fmt.Sprintf("%s cannot give the permission %q", who.Name, p), "nobody gives more than they have")
			}
		}
		u.Permissions, u.Changed = *in.Permissions, s.cfg.Now()
	}
	if in.Password != nil {
		if len(*in.Password) < minPassword || len(*in.Password) > maxPassword {
			return api.User{}, fault.Newf(fault.Invalid, "the password has %d bytes; from %d to %d", len(*in.Password), minPassword, maxPassword)
		}
		hash, err := s.cfg.Password(ctx, *in.Password)
		if err != nil {
			return api.User{}, err
		}
		u.Password, u.Changed = hash, s.cfg.Now()
	}
	err := s.commit(ctx, store.Batch{Users: []store.UserWrite{{User: u}}, Audit: []store.AuditRecord{s.audit(who, action, u.Name, "")}})
	if err != nil {
		return api.User{}, err
	}
	return showUser(u), nil
}

// DeleteUser implements api.Service.
func (s *Service) DeleteUser(ctx context.Context, name string) error {
	who, err := s.may(ctx, access.ManageUsers, "")
	if err != nil {
		return err
	}
	if who.Name == name {
		return fault.New(fault.Conflict, "that is you", "another administrator must do it")
	}
	u, err := s.user(ctx, name)
	if err != nil {
		return err
	}
	if err := outranks(who, u); err != nil {
		return err
	}
	batch := store.Batch{Users: []store.UserWrite{{User: u, Delete: true}}, Audit: []store.AuditRecord{s.audit(who, "user.delete", name, "")}}
	tokens, err := s.cfg.Store.ListTokens(ctx, "api")
	if err != nil {
		return storeFault(err)
	}
	for _, t := range tokens { // a token lends what the user of a name may do: who bears the name next is somebody else
		if t.Owner == name && t.Revoked.IsZero() {
			if t, err = s.cfg.Store.Token(ctx, t.ID); err != nil { // a list has no hashes
				return storeFault(err)
			}
			t.Revoked = s.cfg.Now()
			batch.Tokens = append(batch.Tokens, store.TokenWrite{Token: t})
		}
	}
	return s.commit(ctx, batch)
}

// Self implements api.Service.
func (s *Service) Self(ctx context.Context) (access.Subject, error) {
	who := api.SubjectOf(ctx)
	if who.Name == "" {
		return who, fault.New(fault.Unauthenticated, "nobody is logged in", "log in, or show a token")
	}
	return who, nil
}

// ListAudit implements api.Service.
func (s *Service) ListAudit(ctx context.Context, before int64, limit int) ([]api.AuditRecord, error) {
	if _, err := s.may(ctx, access.Audit, ""); err != nil {
		return nil, err
	}
	if limit <= 0 || limit > 1000 {
		limit = 100
	}
	records, err := s.cfg.Store.ListAudit(ctx, before, limit)
	if err != nil {
		return nil, storeFault(err)
	}
	out := make([]api.AuditRecord, len(records))
	for i, r := range records {
		out[i] = api.AuditRecord{ID: r.ID, At: r.At.UTC(), By: r.By, From: r.From, Action: r.Action, Object: r.Object, Detail: r.Detail}
	}
	return out, nil
}

// Domain implements api.Service.
func (s *Service) Domain(ctx context.Context) (api.DomainInfo, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return api.DomainInfo{}, err
	}
	return s.info(ctx)
}

// info shows the domain to who may see it.
func (s *Service) info(ctx context.Context) (api.DomainInfo, error) {
	sizes, err := s.cfg.Store.Sizes(ctx)
	if err != nil {
		return api.DomainInfo{}, storeFault(err)
	}
	warnings := []string{}
	if s.cfg.Warnings != nil {
		warnings = append(warnings, s.cfg.Warnings()...)
	}
	return api.DomainInfo{
		Name: s.cfg.Name, Epoch: s.cfg.Engine.Epoch(), Version: s.cfg.Version, Held: opt(s.cfg.Engine.Held()), Disk: opt(s.cfg.Engine.Disk()),
		Started: s.cfg.Started.UTC(), Plan: s.cfg.Plan.Plan, PlanHash: s.cfg.Plan.Hash, Instance: s.cfg.Plan.Instance,
		Addresses: append([]string{}, s.cfg.Addresses...), Fingerprint: s.cfg.Fingerprint, Counts: s.cfg.Engine.Counts(), Sizes: sizes, Warnings: warnings,
	}, nil
}

// ControlDomain implements api.Service.
func (s *Service) ControlDomain(ctx context.Context, verb, reason string) (api.DomainInfo, error) {
	who, err := s.may(ctx, access.Control, "")
	if err != nil {
		return api.DomainInfo{}, err
	}
	why := ""
	switch verb {
	case "hold":
		why = "held by " + who.Name
		if reason != "" {
			why += ": " + reason
		}
	case "release":
	default:
		return api.DomainInfo{}, fault.New(fault.Invalid, fmt.Sprintf("a domain cannot be %q", verb), "hold or release")
	}
	if err := s.cfg.Engine.SetHeld(ctx, why, s.audit(who, "domain."+verb, s.cfg.Name, reason)); err != nil {
		return api.DomainInfo{}, storeFault(err)
	}
	s.cfg.Hub.Publish(api.Change{Kind: "domain", ID: s.cfg.Name})
	return s.info(ctx)
}

// Doors implements api.Service.
func (s *Service) Doors(ctx context.Context) ([]api.Door, error) {
	if _, err := s.may(ctx, access.View, ""); err != nil {
		return nil, err
	}
	return s.doors(), nil
}

// Backup implements api.Service. A backup holds everything: it is for who may do everything.
func (s *Service) Backup(ctx context.Context, w io.Writer) error {
	for _, p := range access.Permissions() {
		if _, err := s.may(ctx, p, ""); err != nil {
			return err
		}
	}
	return s.cfg.Backup(ctx, w)
}
