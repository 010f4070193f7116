package coverage

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/thermie/thermie/analytics/interval"
)

// Result is the coverage under one kind of noise.
type Result struct {
	Noise string
	Text  string
	// HeldOut says that no weight of analytics/interval was set on this kind.
	HeldOut bool
	Sites   int
	// Year and Quarters count the sites whose interval held the truth.
	Year     int
	Quarters [4]int
	// YearWidth and QuarterWidth are mean half widths over the mean saving of the year.
	YearWidth    float64
	QuarterWidth [4]float64
	// Plain is Year and Quarters for the AR(1) sandwich with one scatter for all
	// seasons and correlation from the lag-1 correlation.
	Plain [5]int
}

// Share is a count as a share of the sites.
func (r *Result) Share(n int) float64 { return float64(n) / float64(r.Sites) }

// outcome is one site: whether each interval held, the year first.
type outcome struct {
	held, plain [5]bool
	width       [5]float64
	saving      float64
	err         error
}

// Run draws sites under a kind of noise. seed sets which sites: the same seed gives
// the same. progress, when not nil, is told each site that is done.
func Run(ctx context.Context, m Model, k Noise, sites int, seed uint64, progress func()) (*Result, error) {
	out := make([]outcome, sites)
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), sites) {
		wait.Go(func() {
			for i := range next {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				out[i] = m.try(NewSite(r, k), r)
				if progress != nil {
					progress()
				}
			}
		})
	}
	var err error
	for i := range sites {
		select {
		case next <- i:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			break
		}
	}
	close(next)
	wait.Wait()
	if err != nil {
		return nil, err
	}
	res := &Result{Noise: k.Name, Text: k.Text, HeldOut: k.HeldOut, Sites: sites}
	saving := 0.0
	for i := range out {
		o := &out[i]
		if o.err != nil {
			return nil, fmt.Errorf("site %d under %s: %w", i, k.Name, o.err)
		}
		saving += o.saving / float64(sites)
		for q := range 5 {
			if o.plain[q] {
				res.Plain[q]++
			}
			switch {
			case q == 0:
				res.YearWidth += o.width[0] / float64(sites)
				if o.held[0] {
					res.Year++
				}
			default:
				res.QuarterWidth[q-1] += o.width[q] / float64(sites)
				if o.held[q] {
					res.Quarters[q-1]++
				}
			}
		}
	}
	res.YearWidth /= saving
	for q := range res.QuarterWidth {
		res.QuarterWidth[q] /= saving
	}
	return res, nil
}

// try fits a site's baseline and asks whether the intervals hold what was saved.
func (m Model) try(s *Site, r *rand.Rand) (o outcome) {
	base, rep := m.frames(s, r)
	fit, err := m.fit(base)
	if err != nil {
		return outcome{err: err}
	}
	predicted, err := fit.Predict(rep)
	if err != nil {
		return outcome{err: err}
	}
	ahead, err := interval.Ahead(fit, base, rep)
	if err != nil {
		return outcome{err: err}
	}
	plain := *ahead
	if plain.Noise, err = interval.Plain(plain.Steps, plain.Residuals, ahead.Noise.Parameters); err != nil {
		return outcome{err: err}
	}
	bounds := [5][2]int{{0, 365}, {0, 90}, {90, 181}, {181, 273}, {273, 365}}
	for q, b := range bounds {
		var rows []int
		off := 0.0
		for i := b[0] * m.steps; i < b[1]*m.steps; i++ {
			if math.IsNaN(rep.Energy[i]) {
				continue
			}
			rows = append(rows, i)
			saved := s.Saved[365+i/m.steps] / float64(m.steps)
			off += predicted[i] - rep.Energy[i] - saved
			if q == 0 {
				o.saving += saved
			}
		}
		if o.width[q], err = ahead.Half(rows, 0.90); err != nil {
			return outcome{err: err}
		}
		narrow, err := plain.Half(rows, 0.90)
		if err != nil {
			return outcome{err: err}
		}
		o.held[q], o.plain[q] = math.Abs(off) <= o.width[q], math.Abs(off) <= narrow
	}
	return o
}
