package accounts

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
)

const password = "quatre mots pour un essai"

// cheap keeps the tests quick; what is tested does not depend on it.
var cheap = Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func open(t testing.TB) (*Accounts, *clock, string) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	path := filepath.Join(t.TempDir(), "accounts.db")
	a, err := Open(t.Context(), path, WithClock(c.now), WithCost(cheap))
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	return a, c, path
}

func create(t testing.TB, a *Accounts, email string) access.Person {
	t.Helper()
	p, err := a.Create(t.Context(), access.Person{Name: "Anne", Email: email, Role: access.Animator}, password)
	require.NoError(t, err)
	return p
}

func TestSignIn(t *testing.T) {
	a, c, _ := open(t)
	p := create(t, a, " Anne@Port.example ")
	assert.Equal(t, "anne@port.example", p.Email)
	assert.Equal(t, "fr", p.Language)
	got, err := a.Check(t.Context(), "ANNE@port.example", password)
	require.NoError(t, err)
	assert.Equal(t, p, got)
	for _, c := range [][2]string{{"anne@port.example", password + "x"}, {"anne@port.example", ""}, {"bob@port.example", password}, {"", ""},
		{strings.Repeat("a", 300) + "@port.example", password}, {"anne@port.example", strings.Repeat("a", maxPassword+1)}} {
		_, err := a.Check(t.Context(), c[0], c[1])
		require.ErrorIs(t, err, ErrRefused)
		require.Equal(t, ErrRefused.Error(), err.Error(), "it is never said which")
	}
	x, err := a.Get(t.Context(), p.ID)
	require.NoError(t, err)
	assert.Equal(t, c.now(), x.LastSignIn)

	require.NoError(t, a.Disable(t.Context(), p.ID, true))
	_, err = a.Check(t.Context(), p.Email, password)
	require.ErrorIs(t, err, ErrRefused)
	require.NoError(t, a.Disable(t.Context(), p.ID, false))
	_, err = a.Check(t.Context(), p.Email, password)
	require.NoError(t, err)
	require.ErrorIs(t, a.Disable(t.Context(), "nobody", true), ErrNotFound)
}

func TestAccountsThatAreRefused(t *testing.T) {
	a, _, _ := open(t)
	create(t, a, "anne@port.example")
	person := func(email string) access.Person {
		return access.Person{Name: "Bob", Email: email, Role: access.Animator}
	}
	for _, c := range []struct {
		who      access.Person
		password string
		says     string
	}{
		{person("anne@PORT.example"), password, ErrExists.Error()},
		{person("not an address"), password, "not an address"},
		{person("Bob <bob@port.example>"), password, "not an address"},
		{person("bob@port.example"), "too short", "at least 12 characters"},
		{person("bob@port.example"), "bob@port.example", "it is the e-mail address"},
		{person("bob@port.example"), "aaaaaaaaaaaaaaaa", "one character repeated"},
		{person("bob@port.example"), "éééééééééééé", "one character repeated"},
		{person("bob@port.example"), "not valid \xff\xff UTF-8", "not valid UTF-8"},
		{person("bob@port.example"), strings.Repeat("ab", maxPassword), "at most"},
		{access.Person{Name: "Bob", Email: "bob@port.example", Role: "king"}, password, "role"},
	} {
		_, err := a.Create(t.Context(), c.who, c.password)
		require.ErrorContains(t, err, c.says, "%v %q", c.who, c.password)
	}
	all, err := a.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

// From the fifth failure in a row an address is locked, for twice as long at
// each further one, whether or not it exists, and restarts do not help.
func TestLockOut(t *testing.T) {
	a, c, path := open(t)
	p := create(t, a, "anne@port.example")
	for _, email := range []string{"anne@port.example", "nobody@port.example"} {
		for range freeFailures {
			_, err := a.Check(t.Context(), email, "wrong")
			require.ErrorIs(t, err, ErrRefused)
		}
		lock := firstLock
		for range 8 {
			_, err := a.Check(t.Context(), email, password)
			require.ErrorIs(t, err, ErrTooMany, "even with the right password")
			var locked *LockedError
			require.ErrorAs(t, err, &locked)
			require.Equal(t, c.now().Add(lock), locked.Until, email)
			c.add(lock - time.Millisecond)
			_, err = a.Check(t.Context(), email, "wrong")
			require.ErrorIs(t, err, ErrTooMany)
			c.add(time.Millisecond)
			_, err = a.Check(t.Context(), email, "wrong")
			require.ErrorIs(t, err, ErrRefused)
			lock = min(2*lock, longestLock)
		}
	}
	_, err := a.Check(t.Context(), p.Email, "wrong")
	require.ErrorIs(t, err, ErrRefused)
	again, err := Open(t.Context(), path, WithClock(c.now), WithCost(cheap))
	require.NoError(t, err)
	defer again.Close()
	_, err = again.Check(t.Context(), p.Email, password)
	require.ErrorIs(t, err, ErrTooMany)

	require.NoError(t, a.SetPassword(t.Context(), p.ID, password+" neuf"))
	_, err = a.Check(t.Context(), p.Email, password+" neuf")
	require.NoError(t, err, "a new password lifts the lock")
	x, err := a.Get(t.Context(), p.ID)
	require.NoError(t, err)
	assert.Equal(t, c.now(), x.PasswordAt, "older sessions end")
}

func TestFailuresAreForgotten(t *testing.T) {
	a, c, _ := open(t)
	create(t, a, "anne@port.example")
	for range freeFailures - 1 {
		_, err := a.Check(t.Context(), "anne@port.example", "wrong")
		require.ErrorIs(t, err, ErrRefused)
	}
	c.add(forgetAfter)
	for range freeFailures - 1 {
		_, err := a.Check(t.Context(), "anne@port.example", "wrong")
		require.ErrorIs(t, err, ErrRefused)
	}
	_, err := a.Check(t.Context(), "anne@port.example", password)
	require.NoError(t, err)
}

// Many attempts at once are not all let through.
func TestLockOutOfManyAtOnce(t *testing.T) {
	a, _, _ := open(t)
	create(t, a, "anne@port.example")
	var wg sync.WaitGroup
	before := a.derived.Load()
	for range 40 {
		wg.Go(func() { a.Check(context.Background(), "anne@port.example", "wrong") })
	}
	wg.Wait()
	assert.EqualValues(t, freeFailures, a.derived.Load()-before)
}

// An unknown address costs as much as a known one.
func TestUnknownCostsAsMuch(t *testing.T) {
	a, _, _ := open(t)
	create(t, a, "anne@port.example")
	cost := func(email string) int64 {
		before := a.derived.Load()
		_, err := a.Check(t.Context(), email, "a wrong password")
		require.ErrorIs(t, err, ErrRefused)
		return a.derived.Load() - before
	}
	assert.Equal(t, cost("anne@port.example"), cost("nobody@port.example"))
	assert.Equal(t, a.cost, a.decoy.cost)
}

func TestAnotherCostIsTakenAtSignIn(t *testing.T) {
	a, c, path := open(t)
	p := create(t, a, "anne@port.example")
	stored := func() hashed {
		_, text, err := read(a.db.QueryRowContext(t.Context(), selectAccounts+" WHERE id = ?", p.ID))
		require.NoError(t, err)
		h, err := parseHashed(text)
		require.NoError(t, err)
		return h
	}
	dearer := Cost{MemoryKiB: 128, Passes: 2, Lanes: 1}
	b, err := Open(t.Context(), path, WithClock(c.now), WithCost(dearer))
	require.NoError(t, err)
	defer b.Close()
	_, err = b.Check(t.Context(), p.Email, "a wrong password")
	require.ErrorIs(t, err, ErrRefused)
	assert.Equal(t, cheap, stored().cost)
	_, err = b.Check(t.Context(), p.Email, password)
	require.NoError(t, err)
	assert.Equal(t, dearer, stored().cost)
	_, err = a.Check(t.Context(), p.Email, password)
	require.NoError(t, err)
}

func TestAccountsAreChanged(t *testing.T) {
	a, _, _ := open(t)
	p := create(t, a, "anne@port.example")
	p.Name, p.Role, p.Company, p.Language = "Anne B.", access.Company, "laiterie", "en"
	require.NoError(t, a.Change(t.Context(), p))
	x, err := a.Get(t.Context(), p.ID)
	require.NoError(t, err)
	assert.Equal(t, p, x.Person)
	p.ID = "nobody"
	require.ErrorIs(t, a.Change(t.Context(), p), ErrNotFound)
	require.ErrorIs(t, a.SetPassword(t.Context(), "nobody", password), ErrNotFound)
	require.Error(t, a.SetPassword(t.Context(), x.ID, "short"))
}

func FuzzParseHashed(f *testing.F) {
	f.Add(hashed{cost: DefaultCost, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}.String())
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2i$v=19$m=64,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHashed(s)
		if err != nil {
			return
		}
		require.LessOrEqual(t, h.cost.MemoryKiB, uint32(maxMemoryKiB))
		again, err := parseHashed(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)
	})
}
