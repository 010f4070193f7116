package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
	"github.com/thermie/thermie/server"
)

func peopleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "people",
		Short: "Who may sign in: add, list, new password, disable",
		Example: `  thermie people add --config server.yaml --email anne@port.example --name "Anne Klein" --role animator
  thermie people list --config server.yaml
  thermie people password --config server.yaml anne@port.example
  thermie people disable --config server.yaml anne@port.example`,
	}
	var path string
	c.PersistentFlags().StringVar(&path, "config", "", "the server's configuration file")
	c.AddCommand(peopleAdd(&path), peopleList(&path), peoplePassword(&path), peopleDisable(&path, true), peopleDisable(&path, false))
	return c
}

// withAccounts opens the accounts that a configuration names.
func withAccounts(ctx context.Context, path string, do func(*accounts.Accounts) error) error {
	conf, err := loadServerConfig(path)
	if err != nil {
		return err
	}
	a, err := accounts.Open(ctx, server.AccountsPath(conf.Data))
	if err != nil {
		return err
	}
	return errors.Join(do(a), a.Close())
}

// loadServerConfig reads the file named with --config.
func loadServerConfig(path string) (server.Config, error) {
	if path == "" {
		return server.Config{}, frame.Usage(errors.New("--config: name the server's configuration file"))
	}
	conf, err := server.LoadConfig(path)
	return conf, frame.Usage(err)
}

func peopleAdd(path *string) *cobra.Command {
	var p access.Person
	var role string
	c := &cobra.Command{
		Use:   "add",
		Short: "Make an account; the password is asked for, or read from standard input",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if p.Role, err = access.ParseRole(role); err != nil {
				return frame.Usage(fmt.Errorf("--role: %w", err))
			}
			return withAccounts(c.Context(), *path, func(a *accounts.Accounts) error {
				password, err := askPassword(c.InOrStdin(), c.ErrOrStderr())
				if err != nil {
					return err
				}
				made, err := a.Create(c.Context(), p, password)
				if err != nil {
					return err
				}
				if err := record(c.Context(), *path, "account.create", made.Email, "role "+string(made.Role)); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: account made, role %s\n", made.Email, made.Role)
				return nil
			})
		},
	}
	c.Flags().StringVar(&p.Email, "email", "", "address to sign in with")
	c.Flags().StringVar(&p.Name, "name", "", "name, as pages show it")
	c.Flags().StringVar(&role, "role", "", fmt.Sprintf("one of %v", access.Roles))
	c.Flags().StringVar(&p.Company, "company", "", "for the role company (and an installer of one company): its id")
	c.Flags().StringVar(&p.Language, "language", "fr", "fr or en")
	return c
}

func peopleList(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Everyone with an account",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withAccounts(c.Context(), *path, func(a *accounts.Accounts) error {
				all, err := a.List(c.Context())
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "E-MAIL\tNAME\tROLE\tCOMPANY\tLAST SIGN-IN\tSTATE")
				for _, x := range all {
					last, state := "never", "active"
					if !x.LastSignIn.IsZero() {
						last = x.LastSignIn.Format("2006-01-02 15:04")
					}
					if x.Disabled {
						state = "disabled"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Email, x.Name, x.Role, x.Company, last, state)
				}
				return w.Flush()
			})
		},
	}
}

// record enters an act done at the command line in the audit trail: who may
// sign in decides who sees what, so it is never changed in silence.
func record(ctx context.Context, path, what, subject, detail string) error {
	err := withRegistry(ctx, path, func(r *registry.Registry) error {
		return r.Audit(ctx, registry.Act{Who: operator(), What: what, Subject: subject, Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("%s of %s is done, but could not be recorded: %w", what, subject, err)
	}
	return nil
}

// operator names who runs the command, as the system knows them.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "console:" + u.Username
	}
	return "console"
}

// accountOf finds an account by its e-mail address.
func accountOf(ctx context.Context, a *accounts.Accounts, email string) (accounts.Account, error) {
	all, err := a.List(ctx)
	if err != nil {
		return accounts.Account{}, err
	}
	for _, x := range all {
		if strings.EqualFold(x.Email, email) {
			return x, nil
		}
	}
	return accounts.Account{}, fmt.Errorf("account %q: %w", email, accounts.ErrNotFound)
}

func peoplePassword(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "password EMAIL",
		Short: "Set a new password, which ends a lock-out and all sessions",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withAccounts(c.Context(), *path, func(a *accounts.Accounts) error {
				x, err := accountOf(c.Context(), a, args[0])
				if err != nil {
					return err
				}
				password, err := askPassword(c.InOrStdin(), c.ErrOrStderr())
				if err != nil {
					return err
				}
				if err := a.SetPassword(c.Context(), x.ID, password); err != nil {
					return err
				}
				return record(c.Context(), *path, "account.password", x.Email, "")
			})
		},
	}
}

func peopleDisable(path *string, disable bool) *cobra.Command {
	name, short, act := "enable EMAIL", "Let an account in again", "account.enable"
	if disable {
		name, short, act = "disable EMAIL", "Refuse an account from now on", "account.disable"
	}
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withAccounts(c.Context(), *path, func(a *accounts.Accounts) error {
				x, err := accountOf(c.Context(), a, args[0])
				if err != nil {
					return err
				}
				if err := a.Disable(c.Context(), x.ID, disable); err != nil {
					return err
				}
				return record(c.Context(), *path, act, x.Email, "")
			})
		},
	}
}

// askPassword reads a password: twice from a terminal without showing it, or
// the first line of what is piped in.
func askPassword(in io.Reader, out io.Writer) (string, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(out, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(out)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", frame.Usage(errors.New("the two passwords differ"))
	}
	return typed[0], nil
}
