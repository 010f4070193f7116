package contact_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/contact"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

func company(id string, holding ...string) metering.Company {
	c := metering.Company{ID: id, Name: id}
	if len(holding) > 0 {
		c.Holding = holding[0]
	}
	return c
}

func source(company string, kw, highC float64, takers ...string) metering.Opportunity {
	o := metering.Opportunity{ID: company + "-heat", Company: company, MWhPerYear: 5 * kw, TypicalKW: kw, LowC: highC - 10, HighC: highC}
	for _, t := range takers {
		o.Uses = append(o.Uses, metering.Use{Company: t, MWhPerYear: 123.4, DistanceM: 567, PaybackYears: 8.9})
	}
	return o
}

func need(company string, kw, targetC float64) metering.HeatNeed {
	return metering.HeatNeed{ID: company + "-need", Company: company, MWhPerYear: 3 * kw, MaxKW: kw, SupplyC: targetC - 30, TargetC: targetC}
}

func flow(company, resource, direction string, amount int64) registry.Flow {
	return registry.Flow{ID: company + "-" + resource, Company: company, Resource: resource, Direction: direction, Amount: metering.Decimal{Coef: amount}, Unit: "t"}
}

func programme() contact.Programme {
	return contact.Programme{
		Companies: []metering.Company{company("a"), company("b"), company("c"), company("d", "x"), company("e", "x"), company("p"), company("q"), company("r")},
		Opportunities: []metering.Opportunity{
			source("a", 400, 35, "p", "a", "q"), source("b", 500, 38, "p"), source("c", 450, 30), source("d", 5000, 300, "p"), source("e", 4000, 280),
		},
		Needs: []metering.HeatNeed{need("p", 700, 65), need("q", 200, 55), need("r", 800, 80), need("a", 50, 50)},
		Flows: []registry.Flow{flow("a", "wood", "has", 2400), flow("p", "wood", "needs", 3600), flow("b", "heat", "has", 10), flow("q", "heat", "needs", 10)},
	}
}

func find(t *testing.T, all []contact.Lead, giver, taker string) contact.Lead {
	t.Helper()
	for _, l := range all {
		if l.Giver.Company == giver && l.Taker.Company == taker {
			return l
		}
	}
	t.Fatalf("no lead %s > %s in %v", giver, taker, all)
	return contact.Lead{}
}

func TestLeads(t *testing.T) {
	all, err := contact.Leads(context.Background(), programme())
	require.NoError(t, err)
	require.Len(t, all, 5, "a>p, a>q, b>p, d>p of heat, a>p of wood; neither a with itself nor declared heat")
	l := find(t, all, "b", "p")
	assert.Equal(t, contact.Heat, l.Resource)
	assert.Equal(t, "b-heat", l.Giver.Subject)
	assert.Equal(t, "p-need", l.Taker.Subject)
	assert.InDelta(t, 500, l.Giver.Profile.PowerKW, 1e-9)
	assert.InDelta(t, 700, l.Taker.Profile.PowerKW, 1e-9)
	assert.False(t, l.Giver.After || l.Taker.After, "three givers and three takers or more: both are asked at once")
	wood := all[len(all)-1]
	assert.Equal(t, "wood", wood.Resource)
	assert.True(t, wood.Taker.After, "only one company has wood: it is asked first")
	assert.Nil(t, wood.Giver.Profile.Bands.Amount, "nor does its amount show among one")
}

// TestProfilesAreOfOneSide: no figure of the pair is in what a company shows.
func TestProfilesAreOfOneSide(t *testing.T) {
	all, err := contact.Leads(context.Background(), programme())
	require.NoError(t, err)
	for _, l := range all {
		b, err := json.Marshal([]registry.ContactProfile{l.Giver.Profile, l.Taker.Profile})
		require.NoError(t, err)
		for _, figure := range []string{"123.4", "567", "8.9"} {
			assert.NotContains(t, string(b), figure)
		}
	}
}

func TestBandsHoldACrowd(t *testing.T) {
	all, err := contact.Leads(context.Background(), programme())
	require.NoError(t, err)
	b := find(t, all, "b", "p").Giver.Profile.Bands
	require.NotNil(t, b.PowerKW, "a, b and c fit 300 to 1,000 kW below 40 degC")
	assert.Equal(t, registry.Band{From: 300, To: 1000}, *b.PowerKW)
	assert.Equal(t, registry.Band{From: 0, To: 40}, *b.Temperature)
	d := find(t, all, "d", "p").Giver.Profile.Bands
	assert.Equal(t, registry.ContactBands{}, d, "two companies of one holding are no crowd")
	p := find(t, all, "a", "p").Taker.Profile.Bands
	assert.Equal(t, registry.ContactBands{}, p, "p and r share a power, not a temperature, and are two")
}

func TestRunningExchangesAreLeftOut(t *testing.T) {
	p := programme()
	p.Synergies = []metering.Synergy{
		{ID: "s1", Resource: "heat", Status: metering.Perennial, Parties: []metering.Party{{Company: "b", Role: "donor"}, {Company: "p", Role: "receiver"}}},
		{ID: "s2", Resource: "heat", Status: metering.Stopped, Parties: []metering.Party{{Company: "d", Role: "donor"}, {Company: "p", Role: "receiver"}}},
		{ID: "s3", Resource: "material", Status: metering.Perennial, Parties: []metering.Party{{Company: "a", Role: "donor"}, {Company: "p", Role: "receiver"}}},
	}
	all, err := contact.Leads(context.Background(), p)
	require.NoError(t, err)
	require.Len(t, all, 3)
	find(t, all, "d", "p")
}

// TestNoBandSinglesOut: whatever the programme, a shown band holds at least three
// companies of that side, of different holdings, and the company itself.
func TestNoBandSinglesOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p contact.Programme
		group := map[string]string{}
		for i := range rapid.IntRange(2, 12).Draw(t, "companies") {
			id := fmt.Sprintf("c%d", i)
			c := company(id, fmt.Sprintf("h%d", rapid.IntRange(0, 8).Draw(t, "holding")))
			group[id] = c.Holding
			p.Companies = append(p.Companies, c)
			kw, hot := rapid.Float64Range(0, 20000).Draw(t, "kw"), rapid.Float64Range(-5, 400).Draw(t, "hot")
			p.Opportunities = append(p.Opportunities, source(id, kw, hot))
			p.Needs = append(p.Needs, need(id, rapid.Float64Range(0, 20000).Draw(t, "need"), rapid.Float64Range(20, 200).Draw(t, "target")))
		}
		for i := range p.Opportunities {
			for _, c := range p.Companies {
				p.Opportunities[i].Uses = append(p.Opportunities[i].Uses, metering.Use{Company: c.ID})
			}
		}
		all, err := contact.Leads(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		in := func(b *registry.Band, x float64) bool {
			return b == nil || x > 0 && x >= b.From && (b.To == 0 || x < b.To)
		}
		for _, l := range all {
			for gives, s := range map[bool]registry.ProposedSide{true: l.Giver, false: l.Taker} {
				b, crowd, self := s.Profile.Bands, map[string]bool{}, false
				if b == (registry.ContactBands{}) {
					continue
				}
				for i, o := range p.Opportunities {
					kw, hot := o.TypicalKW, o.HighC
					if !gives {
						kw, hot = p.Needs[i].MaxKW, p.Needs[i].TargetC
					}
					if in(b.PowerKW, kw) && in(b.Temperature, hot) {
						crowd[group[o.Company]] = true
						self = self || o.Company == s.Company
					}
				}
				if len(crowd) < contact.Crowd || !self {
					t.Fatalf("%s shows %+v, which fits %d: %v", s.Company, b, len(crowd), crowd)
				}
			}
		}
	})
}
