package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

type gatewayJSON struct {
	ID         string        `json:"id"`
	Company    string        `json:"company"`
	Place      metering.Text `json:"place"`
	Level      string        `json:"level"` // good, suspect, missing, none
	Online     bool          `json:"online"`
	LastHeard  *time.Time    `json:"last_heard_at,omitempty"`
	Version    string        `json:"version,omitempty"`
	Waiting    int           `json:"waiting_batches"`
	ClockSync  bool          `json:"clock_synchronised"`
	ClockMS    int64         `json:"clock_offset_ms"`
	CertExpiry *time.Time    `json:"certificate_expires_at,omitempty"`
	Meters     []meterJSON   `json:"meters"`
}

type meterJSON struct {
	ID       string        `json:"id"`
	Name     metering.Text `json:"name"`
	Profile  string        `json:"profile"`
	Medium   string        `json:"medium"`
	LastSeen *time.Time    `json:"last_seen_at,omitempty"`
	Fault    string        `json:"fault,omitempty"`
}

// jsonGateways tells the health of gateways and meters, without any reading.
func jsonGateways(v *visit) error {
	gateways, err := v.visibleGateways()
	if err != nil {
		return err
	}
	statuses, err := v.statuses()
	if err != nil {
		return err
	}
	meters, err := v.visibleMeters()
	if err != nil {
		return err
	}
	var out []gatewayJSON
	for _, g := range gateways {
		st, heard := statuses[g.ID]
		x := gatewayJSON{ID: g.ID, Company: g.Company, Place: g.Place, Level: v.gatewayState(st, heard).Level, Online: st.Online, LastHeard: known(st.At), Version: st.Version,
			Waiting: st.Spool.Batches, ClockSync: st.Clock.Synchronised, ClockMS: st.Clock.OffsetMillis, CertExpiry: known(st.CertExpiry), Meters: []meterJSON{}}
		for _, m := range meters {
			if m.Gateway != g.ID {
				continue
			}
			y := meterJSON{ID: m.ID, Name: m.Name, Profile: m.Profile, Medium: m.Medium}
			for _, s := range st.Meters {
				if s.Meter == m.ID {
					y.LastSeen, y.Fault = known(s.LastSeen), s.Fault
				}
			}
			x.Meters = append(x.Meters, y)
		}
		out = append(out, x)
	}
	return v.answerJSON(list(out))
}

type seriesJSON struct {
	Meter    string            `json:"meter"`
	Quantity metering.Quantity `json:"quantity"`
	Unit     metering.Unit     `json:"unit"`
	Kind     string            `json:"kind"` // gauge, counter
	LastAt   *time.Time        `json:"last_at,omitempty"`
	Points   string            `json:"points"` // address
}

// jsonSeries lists the series whose readings the person may be given.
func jsonSeries(v *visit) error {
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return err
	}
	var out []seriesJSON
	for _, i := range infos {
		out = append(out, seriesJSON{Meter: i.ID.Meter(), Quantity: i.ID.Quantity(), Unit: i.Unit, Kind: i.ID.Quantity().Kind().String(),
			LastAt: known(i.Last), Points: "/api/v1/series/" + string(i.ID) + "/points"})
	}
	page, err := pageOf(v, out)
	if err != nil {
		return err
	}
	return v.answerJSON(page)
}

// Bounds of one question for points.
const (
	maxPointDays  = 31
	defaultPoints = 2000
	maxPoints     = 20000
)

type pointsJSON struct {
	Meter    string            `json:"meter"`
	Quantity metering.Quantity `json:"quantity"`
	Unit     metering.Unit     `json:"unit"`
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Items    []pointJSON       `json:"items"`
	Next     string            `json:"next,omitempty"`
}

// pointJSON is a reading. Reading is the exact decimal as text, absent when the
// reading is missing.
type pointJSON struct {
	At      time.Time `json:"at"`
	Reading string    `json:"reading,omitempty"`
	Quality string    `json:"quality"`
	// Imported says that it came from a file, in a batch signed as imported.
	Imported bool `json:"imported,omitempty"`
}

// jsonPoints answers the readings of one series. A series that the person may
// not read and one that does not exist are the same 404.
func jsonPoints(v *visit) error {
	id := metering.Series(v.Param("meter"), metering.Quantity(v.Param("quantity")))
	if id.Check() != nil || !v.scope.Allows(id.Meter()) {
		return errNotFound
	}
	info, ok, err := v.seriesInfo(id)
	if err != nil {
		return err
	}
	if !ok {
		return errNotFound
	}
	now := v.s.o.Clock()
	p, err := v.period(now.Add(-24*time.Hour), now, maxPointDays*24*time.Hour)
	if err != nil {
		return err
	}
	if !v.may(access.SeeHistory, id.Meter()) {
		oldest := now.Add(-access.RecentDays * 24 * time.Hour)
		if p.from.Before(oldest) {
			return problem{http.StatusForbidden, v.lang.N("problem.recent", access.RecentDays)}
		}
	}
	limit, err := v.whole("limit", defaultPoints, 1, maxPoints)
	if err != nil {
		return err
	}
	spans, err := v.importedSpans(id.Meter())
	if err != nil {
		return err
	}
	spans = slices.DeleteFunc(spans, func(x registry.ImportedSpan) bool { return x.Series != id })
	out := pointsJSON{Meter: id.Meter(), Quantity: id.Quantity(), Unit: info.Unit, From: p.from.UTC(), To: p.to.UTC(), Items: []pointJSON{}}
	for pt, err := range v.s.o.Series.Points(v.Request().Context(), v.scope, id, p.from, p.to) {
		if errors.Is(err, series.ErrForbidden) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		if len(out.Items) == limit {
			q := time.UnixMilli(pt.At).UTC().Format(time.RFC3339Nano)
			out.Next = v.nextPoints(q, p.to)
			break
		}
		x := pointJSON{At: time.UnixMilli(pt.At).UTC(), Quality: pt.Quality.String()}
		x.Imported = slices.ContainsFunc(spans, func(s registry.ImportedSpan) bool { return !x.At.Before(s.From) && !x.At.After(s.To) })
		if pt.Quality.Level != metering.Missing {
			x.Reading = pt.Number.String()
		}
		out.Items = append(out.Items, x)
	}
	return v.answerJSON(out)
}

// nextPoints is the address of the points from an instant on, with the same end.
func (v *visit) nextPoints(from string, to time.Time) string {
	q := v.Request().URL.Query()
	q.Set("from", from)
	q.Set("to", to.UTC().Format(time.RFC3339Nano))
	return v.Request().URL.Path + "?" + q.Encode()
}

func (v *visit) seriesInfo(id metering.SeriesID) (series.Info, bool, error) {
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return series.Info{}, false, err
	}
	return find(infos, func(i series.Info) bool { return i.ID == id })
}
