package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
)

// openAccounts makes an account for each person of the programme who has none.
func (d *demo) openAccounts(ctx context.Context, people []registry.Person) error {
	for _, p := range people {
		_, err := d.server.Accounts().Create(ctx, access.Person{Name: p.Name, Email: p.Email, Role: p.Role, Company: p.Company, Language: p.Language}, d.state.Password)
		if err != nil && !errors.Is(err, accounts.ErrExists) {
			return fmt.Errorf("demo account of %s: %w", p.Email, err)
		}
	}
	return nil
}
