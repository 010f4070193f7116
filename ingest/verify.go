package ingest

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
)

// Limits of a gateway's clock, against ours.
const (
	// clockAlarm is how far ahead a batch may be dated before an alarm.
	clockAlarm = 10 * time.Minute
	// clockRefuse is how far ahead it may be dated at all: further ahead no
	// instant in it can be right, and its readings would stand as the newest.
	clockRefuse = 24 * time.Hour
)

// ErrTryLater may be wrapped by a batch.Keys function to say that it could not
// look the gateway up (the registry is busy, say). Ingest then asks again
// instead of putting the batch in quarantine.
var ErrTryLater = errors.New("try later")

// refusals are the kinds of alarms that last while a refused batch is in
// quarantine. Alarms about clocks end with the next batch that is well dated.
var refusals = []string{"format", "signature", "enrolment", "sender", "chain"}

// refusal is why a batch cannot be accepted: the alarm's kind and the words.
type refusal struct{ kind, reason string }

// verified is what verification leaves of a batch: its head and verdict. The
// readings are looked at and not kept, so that what waits for the ledger stays
// small; the follower reads them from the leaf.
type verified struct {
	head   batch.Batch // without readings
	hash   batch.Hash
	ahead  time.Duration // newest instant in it after our clock; negative in the past
	refuse *refusal
	later  error // could not be decided
}

// onceEach asks for the key of each gateway once.
func onceEach(keys batch.Keys) batch.Keys {
	type answer struct {
		key ed25519.PublicKey
		err error
	}
	known := make(map[string]answer)
	return func(gateway string) (ed25519.PublicKey, error) {
		a, ok := known[gateway]
		if !ok {
			a.key, a.err = keys(gateway)
			known[gateway] = a
		}
		return a.key, a.err
	}
}

// verify checks all of a batch that needs no knowledge of other batches.
func verify(verifier *batch.Verifier, payload []byte, gateway string, keys batch.Keys, now time.Time) (v verified) {
	v.hash = batch.HashOf(payload)
	b, newest, err := verifier.Verify(payload, keys)
	if err != nil {
		if head, herr := batch.Head(payload); herr == nil {
			v.head = *head
		}
		v.refuse, v.later = judge(err)
		return v
	}
	v.ahead = time.UnixMilli(max(newest, b.ClosedAt)).Sub(now)
	v.head = *b
	switch {
	case b.Gateway != gateway:
		v.refuse = &refusal{"sender", fmt.Sprintf("batch of %s on the topic of %s", b.Gateway, gateway)}
	case v.ahead > clockRefuse:
		v.refuse = &refusal{"clock", fmt.Sprintf("batch %d of %s is dated %s ahead", b.Number, b.Gateway, v.ahead.Round(time.Minute))}
	}
	return v
}

// judge says what an error of batch.Verifier means.
func judge(err error) (*refusal, error) {
	switch {
	case errors.Is(err, ErrTryLater):
		return nil, err
	case errors.Is(err, batch.ErrSignature):
		return &refusal{"signature", err.Error()}, nil
	case errors.Is(err, batch.ErrFormat), errors.Is(err, batch.ErrTooLarge):
		return &refusal{"format", err.Error()}, nil
	}
	return &refusal{"enrolment", err.Error()}, nil
}
