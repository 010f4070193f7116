package server

import (
	"context"
	"path/filepath"

	"github.com/thermie/thermie/registry/accounts"
)

func (s *Server) openAccounts(ctx context.Context) (err error) {
	s.accounts, err = accounts.Open(ctx, AccountsPath(s.o.Config.Data), accounts.WithClock(s.o.Clock))
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.accounts.Close)
	return nil
}

// AccountsPath is the file of accounts in a data folder.
func AccountsPath(data string) string { return filepath.Join(data, "accounts.db") }
