package series

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// Store keeps readings by series and instant.
type Store interface {
	// Apply stores the readings of the ledger leaves [Position, upTo), in
	// ledger order, and moves the position to upTo: all or nothing. When upTo
	// is not beyond the position, nothing changes and nil is returned. A
	// reading that no store should hold makes it fail with a *RefusedError.
	Apply(ctx context.Context, upTo uint64, readings []metering.Reading) error
	// Position says that the ledger leaves [0, position) are applied.
	Position(ctx context.Context) (uint64, error)
	// Points yields the points of a series in [from, to), ascending in time;
	// none for a series that is unknown. After an error nothing follows.
	Points(ctx context.Context, scope access.Scope, id metering.SeriesID, from, to time.Time) iter.Seq2[metering.Point, error]
	// Latest returns the newest point of each series, of whatever quality.
	// Unknown series are left out of the map; one that the scope does not
	// allow is an error.
	Latest(ctx context.Context, scope access.Scope, ids []metering.SeriesID) (map[metering.SeriesID]metering.Point, error)
	// Windows aggregates the points in each [bounds[i], bounds[i+1]). Bounds
	// ascend strictly. A series that is unknown has empty windows.
	Windows(ctx context.Context, scope access.Scope, id metering.SeriesID, bounds []time.Time) ([]Window, error)
	// List describes the series that the scope allows, in order of their ID.
	List(ctx context.Context, scope access.Scope) ([]Info, error)
	Close() error
}

// Deleter is a store that can forget the data of meters, as a company may
// demand. The position stays: a store rebuilt from the ledger would have them
// again, unless the ledger's follower leaves them out.
type Deleter interface {
	Delete(ctx context.Context, meters []string) error
}

// Window aggregates the points of a series in [From, To).
type Window struct {
	From, To time.Time
	// Good, Suspect and Missing count the points of each level.
	Good, Suspect, Missing int
	// Mean, Min and Max are of the good and suspect points, each with the same
	// weight, in the unit of the series; 0 when there is none. Energy from
	// counters and time-weighted means come from analytics/align instead.
	Mean, Min, Max float64
	// First and Last are the first and last good or suspect points.
	First, Last metering.Point
}

// Numbers counts the points that carry a number: good and suspect ones.
func (w Window) Numbers() int { return w.Good + w.Suspect }

// Info describes a series.
type Info struct {
	ID          metering.SeriesID
	Unit        metering.Unit
	First, Last time.Time // instants of the first and last point, UTC
	Count       int       // points of all levels
}

// ErrForbidden says that the scope does not allow the meter of a series. It
// is returned whether or not the series exists.
var ErrForbidden = errors.New("not allowed")

// Allowed returns an error that wraps ErrForbidden and names the series,
// unless the scope allows its meter.
func Allowed(scope access.Scope, id metering.SeriesID) error {
	if !scope.Allows(id.Meter()) {
		return fmt.Errorf("series %s: %w", id, ErrForbidden)
	}
	return nil
}

// RefusedError says which of the readings given to Apply no store will hold,
// and why. Nothing was applied; without that reading Apply may succeed.
type RefusedError struct {
	Index   int // in the slice given to Apply
	Reading metering.Reading
	Err     error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("apply: reading %d: %v", e.Index, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// UnitError says that a reading's unit is not the one of its series.
type UnitError struct {
	Series    metering.SeriesID
	Have, Got metering.Unit
}

func (e *UnitError) Error() string {
	return fmt.Sprintf("series %s is in %s: a reading in %s does not belong to it", e.Series, e.Have, e.Got)
}

const maxReason = 64 // bytes of a quality's reason

// Check refuses a reading that no store should hold.
func Check(r metering.Reading) error {
	if err := r.Check(); err != nil {
		return err
	}
	if r.Quality.Level > metering.Missing {
		return fmt.Errorf("series %s: quality level %d is not known", r.Series, r.Quality.Level)
	}
	if len(r.Quality.Reason) > maxReason {
		return fmt.Errorf("series %s: reason of %d bytes: at most %d", r.Series, len(r.Quality.Reason), maxReason)
	}
	if reason := string(r.Quality.Reason); !utf8.ValidString(reason) || strings.ContainsFunc(reason, unicode.IsControl) || strings.TrimSpace(reason) != reason {
		return fmt.Errorf("series %s: reason %q is not one line of text without space around it", r.Series, reason)
	}
	return nil
}

// Point is the point that a reading becomes: its number in normal form, 0
// when it is missing; no reason when it is good.
func Point(r metering.Reading) metering.Point {
	p := metering.Point{At: r.At, Quality: r.Quality}
	if r.Quality.Level != metering.Missing {
		p.Number = r.Number.Normal()
	}
	if r.Quality.Level == metering.Good {
		p.Quality.Reason = ""
	}
	return p
}

// Millis is the first whole millisecond at or after t, so that an instant in
// Unix milliseconds is before t exactly when it is less.
func Millis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}

// CheckBounds refuses bounds of windows that are fewer than two or do not
// ascend strictly, and returns them in milliseconds.
func CheckBounds(bounds []time.Time) ([]int64, error) {
	if len(bounds) < 2 {
		return nil, fmt.Errorf("windows: %d bounds given, at least 2 needed", len(bounds))
	}
	ms := make([]int64, len(bounds))
	for i, b := range bounds {
		ms[i] = Millis(b)
		if i > 0 && !b.After(bounds[i-1]) {
			return nil, fmt.Errorf("windows: bound %d (%s) is not after the one before", i, b.UTC().Format(time.RFC3339Nano))
		}
	}
	return ms, nil
}
