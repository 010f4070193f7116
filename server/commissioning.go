package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// AddCommissioning takes a commissioning record into a registry, from where a
// running server enters it in the ledger. It refuses one that is not signed with
// a key of its gateway; warnings say what does not fit the programme.
func AddCommissioning(ctx context.Context, r *registry.Registry, sealed []byte, by string, now time.Time) (record commissioning.Record, added bool, warnings []string, err error) {
	fail := func(err error) (commissioning.Record, bool, []string, error) { return record, false, nil, err }
	if record, err = commissioning.Open(sealed); err != nil {
		return fail(err)
	}
	t, err := r.Territory(ctx)
	if err != nil {
		return fail(err)
	}
	if record.Territory != t.ID {
		return fail(fmt.Errorf("commissioning record of territory %s: this is %s", record.Territory, t.ID))
	}
	if _, err := r.Gateway(ctx, record.Gateway); err != nil {
		return fail(err)
	}
	keys, err := r.GatewayKeys(ctx, record.Gateway)
	if err != nil {
		return fail(err)
	}
	if !slices.ContainsFunc(keys, func(k registry.EnrolledKey) bool { return base64.StdEncoding.EncodeToString(k.Key) == record.Key }) {
		return fail(fmt.Errorf("commissioning record: key %s was never enrolled for gateway %s", record.Key, record.Gateway))
	}
	mine, err := r.MetersOfGateway(ctx, record.Gateway)
	if err != nil {
		return fail(err)
	}
	for _, m := range record.Meters {
		i := slices.IndexFunc(mine, func(x metering.Meter) bool { return x.ID == m.ID })
		switch {
		case i < 0:
			warnings = append(warnings, fmt.Sprintf("meter %s is not one of this gateway in the programme", m.ID))
		case mine[i].Profile != m.Profile:
			warnings = append(warnings, fmt.Sprintf("meter %s: profile %s, the programme says %s", m.ID, m.Profile, mine[i].Profile))
		}
		if i >= 0 && mine[i].Serial != "" && m.Identity["serial"] != "" && mine[i].Serial != m.Identity["serial"] {
			warnings = append(warnings, fmt.Sprintf("meter %s: its serial number was %s, the programme says %s", m.ID, m.Identity["serial"], mine[i].Serial))
		}
		if !m.Accepted {
			warnings = append(warnings, fmt.Sprintf("meter %s was not accepted", m.ID))
		}
	}
	for _, m := range mine {
		if !slices.ContainsFunc(record.Meters, func(x commissioning.Meter) bool { return x.ID == m.ID }) {
			warnings = append(warnings, fmt.Sprintf("meter %s of the programme is not in the record", m.ID))
		}
	}
	if !record.ClockSynchronised {
		warnings = append(warnings, "the gateway's clock was not synchronised: the times in the record are to be checked")
	}
	digest := commissioning.Digest(sealed)
	added, err = r.AddCommissioning(ctx, registry.Commissioning{Digest: digest, Gateway: record.Gateway, SignedAt: record.Signed, AddedAt: now.Truncate(time.Millisecond), AddedBy: by, Record: sealed})
	if err == nil && added {
		err = r.Audit(ctx, registry.Act{Who: by, What: "commissioning.add", Subject: record.Gateway, Detail: "SHA-256 " + digest})
	}
	return record, added, warnings, err
}

// recordCommissionings enters commissioning records in the ledger, as long as ctx lasts.
func (s *Server) recordCommissionings(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.recordNewCommissionings(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("commissioning record not entered in the ledger, tried again later", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// recordNewCommissionings appends what the ledger does not have. After a crash the
// same bytes are appended again, which the ledger keeps once.
func (s *Server) recordNewCommissionings(ctx context.Context) error {
	all, err := s.registry.Commissionings(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Entered {
			continue
		}
		leaf, err := commissioning.LeafOf(c.Record)
		if err != nil {
			return err
		}
		d, err := leaf.Document(c.AddedAt)
		if err != nil {
			return err
		}
		sealed, err := batch.SealDocument(d, s.keys.Server)
		if err != nil {
			return err
		}
		index, _, err := s.ledger.Append(ctx, sealed)
		if err != nil {
			return err
		}
		if err := s.registry.CommissioningEntered(ctx, c.Digest, index); err != nil {
			return err
		}
		s.log.Info("commissioning record in the ledger", "gateway", c.Gateway, "leaf", index)
	}
	return nil
}
