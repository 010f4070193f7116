package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
)

// maxGaps bounds the gaps that a chain remembers; older ones stay missing.
const maxGaps = 1000

// Chain is how far the ledger knows one gateway: its last number and what is
// missing before it.
type Chain struct {
	Last  uint64     `json:"last"`            // highest number in the ledger
	Hash  batch.Hash `json:"hash"`            // of that batch
	Index uint64     `json:"index"`           // its leaf
	Count uint64     `json:"count"`           // batches in the ledger
	Gaps  []Gap      `json:"gaps,omitempty"`  // ascending
	Given uint64     `json:"given,omitempty"` // missing numbers of gaps too old to be remembered
}

// Gap is a stretch of numbers that never arrived. A batch may fill it later,
// when it fits the chain on the side that it touches.
type Gap struct {
	From, To uint64     // both missing
	After    batch.Hash // of batch From-1; zero when it is not known
	Before   batch.Hash // of batch To, as batch To+1 names it; zero when not known
	Declared string     // the break that the gateway declared, "" when it said nothing
}

// Unknown says that the gateway began its chain anew with a declared break and
// jumped to a higher number: how many batches were lost between, if any, nobody
// knows.
func (g Gap) Unknown() bool { return g.Declared != "" && g.Before == (batch.Hash{}) }

// Missing is how many batches up to Last were made and are not in the ledger.
// Breaks of unknown length are not counted.
func (c *Chain) Missing() (n uint64) {
	for _, g := range c.Gaps {
		n += g.missing()
	}
	return n + c.Given
}

func (g Gap) missing() uint64 {
	if g.Unknown() {
		return 0
	}
	return g.To - g.From + 1
}

// chainError says why a batch does not fit its gateway's chain.
type chainError string

func (e chainError) Error() string { return string(e) }

// place says where a batch stands in the chain: an error when nowhere, old when
// its number was passed and is not missing, so that only the very same bytes
// may have it.
func (c *Chain) place(b *batch.Batch, h batch.Hash) (old bool, err error) {
	n, zero := b.Number, batch.Hash{}
	fresh := b.Previous == zero && (n == 1 || b.Break != "")
	if n <= c.Last {
		i := c.gapOf(n)
		if i < 0 {
			return true, nil
		}
		g := c.Gaps[i]
		if n == g.From && g.After != zero && b.Previous != g.After && !fresh {
			return false, chainError(fmt.Sprintf("batch %d does not follow batch %d: another previous hash", n, n-1))
		}
		if n == g.To && g.Before != zero && h != g.Before {
			return false, chainError(fmt.Sprintf("batch %d is not the one that batch %d follows", n, n+1))
		}
		return false, nil
	}
	if n == c.Last+1 && !fresh && b.Previous != c.Hash {
		return false, chainError(fmt.Sprintf("batch %d does not follow batch %d: another previous hash", n, c.Last))
	}
	return false, nil
}

func (c *Chain) gapOf(n uint64) int {
	return slices.IndexFunc(c.Gaps, func(g Gap) bool { return g.From <= n && n <= g.To })
}

// take notes a batch that is in the ledger. It returns the gap that the batch
// opened, if it did. The chain's gaps are replaced, never changed in place.
func (c *Chain) take(b *batch.Batch, h batch.Hash, index uint64) (opened *Gap) {
	n := b.Number
	if n <= c.Last {
		c.fill(b, h)
		return nil
	}
	if n > c.Last+1 {
		opened = &Gap{From: c.Last + 1, To: n - 1, After: c.Hash, Before: b.Previous, Declared: b.Break}
		c.Gaps = append(slices.Clip(c.Gaps), *opened)
		if len(c.Gaps) > maxGaps {
			c.Given += c.Gaps[0].missing()
			c.Gaps = slices.Clone(c.Gaps[1:])
		}
	}
	c.Last, c.Hash, c.Index = n, h, index
	c.Count++
	return opened
}

// fill takes a number out of its gap.
func (c *Chain) fill(b *batch.Batch, h batch.Hash) {
	i := c.gapOf(b.Number)
	if i < 0 {
		return
	}
	g := c.Gaps[i]
	var rest []Gap
	if g.From < b.Number {
		rest = append(rest, Gap{From: g.From, To: b.Number - 1, After: g.After, Before: b.Previous, Declared: g.Declared})
	}
	if b.Number < g.To {
		rest = append(rest, Gap{From: b.Number + 1, To: g.To, After: h, Before: g.Before, Declared: g.Declared})
	}
	c.Gaps = slices.Concat(c.Gaps[:i], rest, c.Gaps[i+1:])
	c.Count++
}

// Chains knows every gateway's chain. It is derived from the ledger; its file
// only saves reading the whole ledger at each start.
type Chains struct {
	ledger *ledger.Ledger
	file   string // "": not kept

	saving   sync.Mutex // held while the file is written
	mu       sync.Mutex
	position uint64 // ledger leaves that are taken in
	saved    uint64
	mark     batch.Hash // of leaf position-1
	chains   map[string]Chain
}

// chainsFile is the file's second line; the first is the SHA-256 of the second.
type chainsFile struct {
	Position uint64           `json:"position"`
	Mark     batch.Hash       `json:"mark"` // SHA-256 of leaf position-1, so that another ledger's file is not taken
	Chains   map[string]Chain `json:"chains"`
}

// OpenChains reads the chains of a ledger, from file as far as that goes ("" for
// no file) and from the ledger's leaves for the rest.
func OpenChains(ctx context.Context, l *ledger.Ledger, file string) (*Chains, error) {
	c := &Chains{ledger: l, file: file, chains: make(map[string]Chain)}
	if file != "" {
		if err := c.load(ctx); err != nil {
			return nil, fmt.Errorf("chains %s: %w", file, err)
		}
	}
	if err := c.catchUp(ctx, l.Size()); err != nil {
		return nil, fmt.Errorf("chains: %w", err)
	}
	return c, nil
}

// ReadChains reads a file of chains as an ingest left it, seconds ago when one
// runs; fs.ErrNotExist when none has.
func ReadChains(file string) (map[string]Chain, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("chains: %w", err)
	}
	f, ok := parseChains(b)
	if !ok {
		return nil, fmt.Errorf("chains: %s is not what an ingest wrote", file)
	}
	return f.Chains, nil
}

// Complete is the share of a gateway's batches that are in the ledger, 0 to 1;
// 1 for one that never sent.
func (c *Chain) Complete() float64 {
	if c.Count+c.Missing() == 0 {
		return 1
	}
	return float64(c.Count) / float64(c.Count+c.Missing())
}

// load takes the file over when it belongs to this ledger; otherwise
// everything is read from the leaves.
func (c *Chains) load(ctx context.Context) error {
	b, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, ok := parseChains(b)
	if !ok || f.Position == 0 || f.Position > c.ledger.Size() {
		return nil
	}
	for e, err := range c.ledger.Entries(ctx, f.Position-1, f.Position) {
		if err != nil {
			return err
		}
		if batch.HashOf(e.Data) != f.Mark {
			return nil
		}
	}
	c.position, c.saved, c.mark, c.chains = f.Position, f.Position, f.Mark, f.Chains
	if c.chains == nil {
		c.chains = make(map[string]Chain)
	}
	return nil
}

// catchUp takes in the leaves up to size, whoever appended them.
func (c *Chains) catchUp(ctx context.Context, size uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e, err := range c.ledger.Entries(ctx, c.position, size) {
		if err != nil {
			return err
		}
		h := batch.HashOf(e.Data)
		if b, err := batch.Head(e.Data); err == nil { // else a document
			chain := c.chains[b.Gateway]
			chain.take(b, h, e.Index)
			c.chains[b.Gateway] = chain
		}
		c.position, c.mark = e.Index+1, h
	}
	return nil
}

// advance takes in a batch that was appended, and before it whatever others
// appended meanwhile.
func (c *Chains) advance(ctx context.Context, it *item) error {
	if err := c.catchUp(ctx, it.receipt.Index); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if it.receipt.Index < c.position {
		return nil // it was there before
	}
	chain := c.chains[it.head.Gateway]
	chain.take(&it.head, it.hash, it.receipt.Index)
	c.chains[it.head.Gateway] = chain
	c.position, c.mark = it.receipt.Index+1, it.hash
	return nil
}

// Of returns a gateway's chain; the zero Chain for one that never sent.
func (c *Chains) Of(gateway string) Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chains[gateway]
}

// All returns every gateway's chain.
func (c *Chains) All() map[string]Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.chains)
}

// Save writes the file, if there is one and something has changed.
func (c *Chains) Save() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	f := chainsFile{Position: c.position, Mark: c.mark, Chains: maps.Clone(c.chains)}
	same := c.file == "" || c.position == c.saved
	c.mu.Unlock()
	if same {
		return nil
	}
	b, err := formatChains(f)
	if err != nil {
		return fmt.Errorf("chains: %w", err)
	}
	if err := writeWhole(c.file, b); err != nil {
		return fmt.Errorf("chains: %w", err)
	}
	c.mu.Lock()
	c.saved = f.Position
	c.mu.Unlock()
	return nil
}

func formatChains(f chainsFile) ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(batch.HashOf(b).String()), []byte("\n"), b), nil
}

// parseChains returns false for anything but what formatChains wrote.
func parseChains(b []byte) (f chainsFile, ok bool) {
	sum, content, ok := bytes.Cut(b, []byte("\n"))
	if !ok || batch.HashOf(content).String() != string(sum) {
		return f, false
	}
	return f, json.Unmarshal(content, &f) == nil
}

// writeWhole replaces a file, durably and whole or not at all.
func writeWhole(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
