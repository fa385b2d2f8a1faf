package cli

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
)

func (a *app) loginCommand() *cobra.Command {
	var ca, user, fingerprint, passwordFile, tokenFile string
	c := &cobra.Command{
		Use: "login HTTPS-ADDRESS", Short: "log in to a server; shows and pins its fingerprint", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address := canonical(args[0])
			pin, err := a.pin(c.Context(), address, ca, fingerprint)
			if err != nil {
				return err
			}
			if tokenFile != "" {
				return a.loginByToken(c.Context(), address, pin, tokenFile)
			}
			if user == "" {
				fmt.Fprint(a.errs, "user: ")
				if user, err = a.readLine(); err != nil {
					return err
				}
			}
			password := ""
			if passwordFile != "" {
				password, err = a.newPassword(passwordFile)
			} else {
				password, err = a.askSecret("password: ")
			}
			if err != nil {
				return err
			}
			client, err := remote(address, pin, "")
			if err != nil {
				return err
			}
			in, err := client.Login(c.Context(), user, password)
			if err != nil {
				return err
			}
			return a.loggedIn(address, login{Fingerprint: pin, Token: in.Token, User: user, Expires: in.Expires})
		},
	}
	f := c.Flags()
	f.StringVar(&ca, "ca", "", "file with the authority's certificate, instead of looking at its fingerprint")
	f.StringVar(&fingerprint, "fingerprint", "", "the authority's fingerprint, instead of being asked")
	f.StringVar(&user, "user", "", "user name; else it is asked for")
	f.StringVar(&passwordFile, "password-file", "", "file that holds the password; else it is asked for")
	f.StringVar(&tokenFile, "token-file", "", "file that holds an API token, for programs: instead of user and password")
	c.MarkFlagsMutuallyExclusive("token-file", "user")
	c.MarkFlagsMutuallyExclusive("token-file", "password-file")
	return c
}

// loginByToken remembers an API token for a server that takes it.
func (a *app) loginByToken(ctx context.Context, address, pin, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fault.Wrap(fault.Invalid, "reading the token", err)
	}
	token := strings.TrimSpace(string(text))
	client, err := remote(address, pin, token)
	if err != nil {
		return err
	}
	if _, err := client.Domain(ctx); err != nil {
		return err
	}
	return a.loggedIn(address, login{Fingerprint: pin, Token: token, User: "the token of " + file})
}

// loggedIn remembers a login, and that it is the current one.
func (a *app) loggedIn(address string, in login) error {
	l, err := readLogins()
	if err != nil {
		return err
	}
	l.Current, l.Servers[address] = address, in
	if err := l.save(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "logged in to %s as %s\n", address, in.User)
	return nil
}

// pin decides which authority the server at address must have: from a file, from the command line, from an earlier
// login, or by showing what it has and asking.
func (a *app) pin(ctx context.Context, address, ca, given string) (string, error) {
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, "reading the authority's certificate", err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return "", fault.New(fault.Invalid, ca+" is not a certificate in PEM", "")
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, "reading the authority's certificate", err)
		}
		return identity.Fingerprint(authority), nil
	}
	if given != "" {
		given = strings.ToLower(strings.ReplaceAll(given, ":", ""))
		return given, identity.CheckFingerprint(given)
	}
	l, err := readLogins()
	if err != nil {
		return "", err
	}
	if known, ok := l.Servers[address]; ok {
		return known.Fingerprint, nil
	}
	found, who, err := firstContact(ctx, address)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(a.errs, "%s is %s\nthe fingerprint of its authority is\n  %s\nIs it the one that `reeve domain show` prints on the server? (yes/no) ", address, who, found)
	answer, err := a.readLine()
	if err != nil {
		return "", err
	}
	if answer != "yes" {
		return "", fault.New(fault.Forbidden, "the fingerprint was not confirmed", "compare it on the server: `reeve domain show --data FOLDER`")
	}
	return found, nil
}

// firstContact looks at the authority of a server that is not known yet; nothing is sent to it.
func firstContact(ctx context.Context, address string) (fingerprint, who string, err error) {
	transport, err := httpsTransport()
	if err != nil {
		return "", "", err
	}
	transport.TLSClientConfig = identity.FirstContact(time.Now, func(authority *x509.Certificate, id identity.Identity) error {
		fingerprint, who = identity.Fingerprint(authority), id.String()
		return nil
	})
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/healthz", nil)
	if err != nil {
		return "", "", fault.Wrap(fault.Invalid, "reading the address", err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", "", fault.Wrap(fault.Unreachable, "reaching "+address, err)
	}
	return fingerprint, who, resp.Body.Close()
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "end the login to a server", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if err := client.Logout(c.Context()); err != nil && !fault.Is(err, fault.Unauthenticated) {
				return err
			}
			l, err := readLogins()
			if err != nil {
				return err
			}
			address := l.Current
			if a.server != "" {
				address = canonical(a.server)
			}
			delete(l.Servers, address)
			if l.Current == address {
				l.Current = ""
			}
			return l.save()
		},
	}
}
