package api

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

type gatewayPage struct {
	ID, Name, Place string
	Live            gatewayLive
	Strips          []stripRow
	From, To        string
	Facts           []pair
	Buses           *table
}

// pair is a name with what is to be said of it.
type pair struct{ Name, Text string }

type gatewayLive struct {
	Gateway string
	State   state
	Seen    time.Time
	Meters  []liveMeter
	Refused bool   // readings are not for this person
	Read    string // when, and how often again
	Every   int    // seconds
}

// liveMeter is one meter as an installer sees it.
type liveMeter struct {
	ID, Name, Profile string
	State             state
	Detail            string
	Seen              time.Time
	Readings          []liveReading
}

type liveReading struct {
	Name, Amount, Unit string
	At                 time.Time
	State              state
}

func showGateway(v *visit) error {
	g, _, err := v.gateway(v.Param("gateway"))
	if err != nil {
		return err
	}
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	p := gatewayPage{ID: g.ID, Name: v.gatewayName(g), Place: v.lang.Of(g.Place)}
	if p.Live, err = v.gatewayLive(g); err != nil {
		return err
	}
	meters, err := v.metersOf(g)
	if err != nil {
		return err
	}
	if p.Strips, err = v.strips(meters, nil); err != nil {
		return err
	}
	from, to := v.stripSpan()
	p.From, p.To = v.lang.ShortDate(from), v.lang.ShortDate(to.Add(-time.Second))
	statuses, err := v.statuses()
	if err != nil {
		return err
	}
	p.Facts = []pair{{v.t("gateway.fact.id"), g.ID}, {v.t("gateway.fact.company"), joinOr(nonEmpty(names[g.Company]), v.t("meter.territory"))}}
	if s, ok := statuses[g.ID]; ok {
		p.Facts, p.Buses = append(p.Facts, v.gatewayFacts(s)...), v.busTable(s.Buses)
	}
	p.Facts = append(p.Facts, v.arrivals(g.ID)...)
	configured, err := v.configured(g.ID)
	if err != nil {
		return err
	}
	p.Facts = append(p.Facts, configured...)
	commissioned, err := v.gatewayCommissioned(g.ID)
	if err != nil {
		return err
	}
	p.Facts = append(p.Facts, commissioned...)
	if len(g.PublicKey) > 0 {
		p.Facts = append(p.Facts, pair{v.t("gateway.fact.key"), base64Of(g.PublicKey)})
	}
	return v.page(http.StatusOK, "gateway", p.Name, p)
}

var configStates = []string{batch.ConfigLocal, batch.ConfigTrying, batch.ConfigRunning, batch.ConfigRefused, batch.ConfigRolledBack, batch.ConfigSuperseded}

// configured says what a gateway told of its configuration, and what it was asked to
// run when that is something else.
func (v *visit) configured(gateway string) (facts []pair, err error) {
	ctx := v.Request().Context()
	said, err := v.s.o.Registry.ConfigReport(ctx, gateway)
	told := err == nil
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	if told {
		text := said.State // a newer gateway may say what this program does not know
		if slices.Contains(configStates, said.State) {
			text = v.t("gateway.config." + said.State)
		}
		if said.Number > 0 {
			text = v.t("gateway.config.number", text, said.Number)
		}
		facts = append(facts, pair{v.t("gateway.fact.runs"), text + ", " + v.lang.Moment(said.At)})
		if said.Detail != "" {
			facts = append(facts, pair{v.t("gateway.fact.runs_why"), said.Detail})
		}
	}
	d, err := v.s.o.Registry.Desired(ctx, gateway)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return facts, nil
	case err != nil:
		return nil, err
	}
	if !told || said.Number < d.Number {
		facts = append(facts, pair{v.t("gateway.fact.desired"), v.t("gateway.config.sent", d.Number, v.lang.Moment(d.SentAt))})
	}
	return facts, nil
}

// arrivals says whether all batches of a gateway are in the ledger.
func (v *visit) arrivals(gateway string) []pair {
	if v.s.o.Arrivals == nil {
		return nil
	}
	kept, missing, ok := v.s.o.Arrivals(gateway)
	if !ok || kept+missing == 0 {
		return nil
	}
	text := v.t("gateway.kept.all", v.lang.Number(float64(kept), 0))
	if missing > 0 {
		// Rounded down: what is not complete is never shown as 100 %.
		share := math.Floor(1000*float64(kept)/float64(kept+missing)) / 1000
		text = v.t("gateway.kept.missing", v.lang.Number(float64(kept), 0), v.lang.Number(float64(missing), 0), v.lang.Percent(share, 1))
	}
	return []pair{{v.t("gateway.fact.kept"), text}}
}

func showGatewayLive(v *visit) error {
	g, _, err := v.gateway(v.Param("gateway"))
	if err != nil {
		return err
	}
	live, err := v.gatewayLive(g)
	if err != nil {
		return err
	}
	return v.fragment("gateway", "live", live)
}

func (v *visit) metersOf(g metering.Gateway) ([]registry.Installation, error) {
	all, err := v.visibleMeters()
	return slices.DeleteFunc(all, func(m registry.Installation) bool { return m.Gateway != g.ID }), err
}

func (v *visit) gatewayLive(g metering.Gateway) (gatewayLive, error) {
	out := gatewayLive{Gateway: g.ID, Every: refreshSeconds, Read: v.t("gateway.refreshes", refreshSeconds, v.s.o.Clock().In(calendar.Paris).Format(time.TimeOnly))}
	statuses, err := v.statuses()
	if err != nil {
		return out, err
	}
	st, known := statuses[g.ID]
	out.State, out.Seen = v.gatewayState(st, known), st.At
	meters, err := v.metersOf(g)
	if err != nil {
		return out, err
	}
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return out, err
	}
	for _, m := range meters {
		l, err := v.liveMeter(m, st, infos)
		if err != nil {
			return out, err
		}
		out.Refused = out.Refused || !v.scope.Allows(m.ID)
		out.Meters = append(out.Meters, l)
	}
	return out, nil
}

func (v *visit) liveMeter(m registry.Installation, st batch.Status, infos []series.Info) (liveMeter, error) {
	out := liveMeter{ID: m.ID, Name: v.lang.Of(m.Name), Profile: m.Profile, State: state{"none", v.t("meter.never"), v.t("meter.never.do")}}
	for _, s := range st.Meters {
		if s.Meter != m.ID {
			continue
		}
		out.Seen, out.State = s.LastSeen, state{"good", v.t("meter.well"), ""}
		switch {
		case s.Fault != "":
			out.State = v.fault(s.Fault)
			out.Detail = s.Detail
		case silent(st, v.s.o.Clock()):
			out.State = state{"none", v.t("meter.unknown"), ""}
		case s.LastSeen.IsZero():
			out.State = state{"none", v.t("meter.waiting"), ""}
		}
	}
	if !v.scope.Allows(m.ID) {
		return out, nil
	}
	readings, err := v.latest(m.ID, infos)
	out.Readings = readings
	// A meter that answers nonsense does not do well.
	if out.State.Level == "good" && len(readings) > 0 && readings[0].State.Level != "good" {
		out.State = readings[0].State
	}
	return out, err
}

// fault says what a meter's fault is and what to do about it. One that still
// answers, only wrongly, is suspect.
func (v *visit) fault(reason string) state {
	level := "suspect"
	switch metering.Reason(reason) {
	case metering.NoAnswer, metering.BadFrame, metering.Refused, metering.SensorBreak:
		level = "missing"
	}
	return state{level, v.lang.Or("reason."+reason, reason), v.lang.Or("reason."+reason+".do", "")}
}

// latest are the newest readings of a meter, those that people look at first.
func (v *visit) latest(meter string, infos []series.Info) ([]liveReading, error) {
	var ids []metering.SeriesID
	units := make(map[metering.SeriesID]metering.Unit)
	for _, i := range infos {
		if i.ID.Meter() == meter {
			ids = append(ids, i.ID)
			units[i.ID] = i.Unit
		}
	}
	slices.SortStableFunc(ids, func(a, b metering.SeriesID) int { return rank(a) - rank(b) })
	points, err := v.s.o.Series.Latest(v.Request().Context(), v.scope, ids)
	if err != nil {
		return nil, err
	}
	var out []liveReading
	for _, id := range ids {
		pt, ok := points[id]
		if !ok {
			continue
		}
		r := liveReading{Name: v.t("quantity." + string(id.Quantity())), Unit: v.lang.SeriesUnit(units[id]), At: time.UnixMilli(pt.At), State: v.quality(pt.Quality)}
		if pt.Quality.Level == metering.Missing {
			r.Amount, r.Unit = v.t("figure.missing"), ""
		} else {
			r.Amount = v.screen(id.Quantity(), displayed(pt.Number, units[id]))
		}
		out = append(out, r)
	}
	return out, nil
}

// gigajoule is how many powers of ten of a joule the displays of heat meters
// that count in joules show: nobody reads 10^12 J off a pipe.
const gigajoule = 9

// displayed is a register as the meter's own display has it, for
// [words.Lang.SeriesUnit].
func displayed(d metering.Decimal, u metering.Unit) metering.Decimal {
	if u == metering.Joule {
		d.Exp -= gigajoule
	}
	return d
}

// screen prints a reading as a meter's screen would: a register to its last
// digit, a gauge to what somebody reads at arm's length.
func (v *visit) screen(q metering.Quantity, d metering.Decimal) string {
	x := d.Float64()
	_, frac, _ := strings.Cut(d.String(), ".")
	switch {
	case q.Kind() == metering.Counter:
		return v.reading(d)
	case q.Allows(metering.Celsius):
		return v.lang.Number(x, min(len(frac), 1))
	case math.Abs(x) >= 1000:
		return v.lang.Number(x, 0)
	case math.Abs(x) >= 10:
		return v.lang.Number(x, min(len(frac), 1))
	}
	return v.lang.Number(x, min(len(frac), 3))
}

// reading prints a register to its last digit.
func (v *visit) reading(d metering.Decimal) string {
	_, frac, _ := strings.Cut(d.String(), ".")
	return v.lang.Number(d.Float64(), min(len(frac), 3))
}

func (v *visit) quality(q metering.Quality) state {
	if q.Level == metering.Good {
		return state{"good", v.t("quality.good"), ""}
	}
	return state{q.Level.String(), v.t("quality."+q.Level.String()) + v.t("colon") + " " + v.lang.Or("reason."+string(q.Reason), string(q.Reason)), v.lang.Or("reason."+string(q.Reason)+".do", "")}
}

// rank orders quantities as a meter's screen would: power and temperatures
// before registers, electrical detail last.
func rank(id metering.SeriesID) int {
	first := []metering.Quantity{metering.HeatPower, metering.ActivePower, metering.FlowTemperature, metering.ReturnTemperature, metering.Temperature, metering.OutdoorTemperature,
		metering.VolumeFlow, metering.HeatEnergy, metering.CoolingEnergy, metering.ActiveEnergyImport, metering.GasVolume, metering.WaterVolume, metering.Volume, metering.PulseCount}
	if i := slices.Index(first, id.Quantity()); i >= 0 {
		return i
	}
	return len(first) + 1
}

func (v *visit) gatewayFacts(s batch.Status) []pair {
	clock, waits, certificate := v.t("gateway.clock_good"), v.t("gateway.nothing_waits"), v.t("gateway.no_certificate")
	switch {
	case !s.Clock.Synchronised:
		clock = v.t("gateway.clock")
	case s.Clock.OffsetMillis != 0:
		clock = v.t("gateway.clock_offset", v.lang.Number(float64(s.Clock.OffsetMillis), 0))
	}
	if s.Spool.Batches > 0 {
		waits = v.lang.N("gateway.waiting", s.Spool.Batches)
		if s.Spool.Bytes > 0 {
			waits += ", " + v.lang.Amount(float64(s.Spool.Bytes)/1024) + "\u00a0KiB"
		}
	}
	if !s.CertExpiry.IsZero() {
		certificate = v.lang.Date(s.CertExpiry)
	}
	facts := []pair{
		{v.t("gateway.fact.seen"), v.lang.Moment(s.At)},
		{v.t("gateway.fact.started"), v.lang.Moment(s.StartedAt)},
		{v.t("gateway.fact.spool"), waits},
		{v.t("gateway.fact.last"), v.lang.Number(float64(s.Spool.LastNumber), 0)},
		{v.t("gateway.fact.clock"), clock},
		{v.t("gateway.fact.certificate"), certificate},
	}
	if s.Version != "" {
		facts = append(facts, pair{v.t("gateway.fact.version"), s.Version})
	}
	if len(s.Config) > 12 {
		facts = append(facts, pair{v.t("gateway.fact.config"), s.Config[:12]})
	}
	return facts
}

func (v *visit) busTable(buses []batch.BusStatus) *table {
	if len(buses) == 0 {
		return nil
	}
	t := newTable("", v.head("bus.one"), v.headN("bus.requests"), v.headN("bus.timeouts"), v.headN("bus.bad"), v.headN("bus.refusals"), v.headN("bus.load")).cards()
	for _, b := range buses {
		n := func(x uint64) cell { return right(v.lang.Number(float64(x), 0)) }
		t.add(txt(b.Bus), n(b.Requests), n(b.Timeouts), n(b.BadFrames), n(b.Refusals), right(v.lang.Percent(b.LoadRatio, 0)))
	}
	return t
}

// With is the same frame around other data, for a block that is also sent alone.
func (f frame) With(data any) frame { f.D = data; return f }
