package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/thermie/thermie/analytics/savings"
)

// Course is what lies between a synergy's readings and its figures and deserves
// a picture: the adjusted baseline beside what the site used (option C), and the
// weekly watch for drift.
type Course struct {
	Synergy, PlanHash string
	Baselines         []Baseline
	Drift             *savings.DriftReport // nil: the plan watches nothing
}

// Baseline is the model of one energy of a site, week by week.
type Baseline struct {
	Energy     string // a flow of analytics/indicators
	R2, CVRMSE float64
	Points     int // data points of the fit
	Start      time.Time
	Weeks      []savings.BaselineWeek
}

// Courses keeps the newest course of each synergy: an assessment gives each
// evaluation to Keep, pages read. The zero Courses is ready for use and keeps them
// in memory, OpenCourses in a file as well. It is safe for concurrent use. Before
// the first assessment pages say that the charts are still to come.
type Courses struct {
	mu   sync.RWMutex
	path string // "": memory only
	kept map[string]Course
}

// maxCourses bounds the file: a synergy of ten years takes some 60 kB.
const maxCourses = 64 << 20

// OpenCourses reads the courses of a file, which need not exist yet. They are
// derived data: a file that cannot be read is an error once, and removing it
// costs nothing but the next assessment.
func OpenCourses(path string) (*Courses, error) {
	c := &Courses{path: path, kept: make(map[string]Course)}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil && info.Size() > maxCourses {
		err = fmt.Errorf("%d bytes, at most %d", info.Size(), maxCourses)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(b, &c.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("courses of synergies, %s: %w", path, err)
	}
	return c, nil
}

// Keep takes the pictures of an evaluation. It fails when the drift watch of the
// plan does, or the file cannot be written; what there is is kept then as well.
func (c *Courses) Keep(e *savings.Evaluation) error {
	x := Course{Synergy: e.Plan.Synergy, PlanHash: e.Plan.Hash()}
	for k, fit := range e.Fits {
		x.Baselines = append(x.Baselines, Baseline{Energy: string(e.Plan.Models[k].Energy), R2: fit.R2, CVRMSE: fit.CVRMSEAdj, Points: fit.N,
			Start: e.Plan.Reporting.From.Time(), Weeks: e.BaselineWeeks(k)})
	}
	var err error
	if x.Drift, err = e.Drift(); err != nil {
		err = fmt.Errorf("course of synergy %s: %w", x.Synergy, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = make(map[string]Course)
	}
	c.kept[x.Synergy] = x
	return errors.Join(err, c.save())
}

// save writes the file whole or not at all; the lock is held.
func (c *Courses) save() error {
	if c.path == "" {
		return nil
	}
	b, err := json.Marshal(c.kept)
	if err == nil {
		err = os.WriteFile(c.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(c.path+".new", c.path)
	}
	if err != nil {
		return fmt.Errorf("courses of synergies: %w", err)
	}
	return nil
}

// of returns the course of a synergy under the plan in force; ok is false when
// none was kept.
func (c *Courses) of(synergy, planHash string) (x Course, ok bool) {
	if c == nil {
		return x, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	x, ok = c.kept[synergy]
	return x, ok && x.PlanHash == planHash
}
