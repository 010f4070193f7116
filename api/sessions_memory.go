package api

import (
	"sync"
	"time"
)

// memorySessions keeps sessions in memory and forgets those that have ended
// whenever one is added.
type memorySessions struct {
	mu    sync.Mutex
	clock func() time.Time
	kept  map[string]keptSession
}

type keptSession struct {
	data   []byte
	expiry time.Time
}

func newMemorySessions(clock func() time.Time) *memorySessions {
	return &memorySessions{clock: clock, kept: make(map[string]keptSession)}
}

func (m *memorySessions) Find(token string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[token]
	if !ok || !m.clock().Before(k.expiry) {
		return nil, false, nil
	}
	return k.data, true, nil
}

func (m *memorySessions) Commit(token string, b []byte, expiry time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.kept[token]; !known {
		now := m.clock()
		for t, k := range m.kept {
			if !now.Before(k.expiry) {
				delete(m.kept, t)
			}
		}
	}
	m.kept[token] = keptSession{b, expiry}
	return nil
}

func (m *memorySessions) Delete(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, token)
	return nil
}
