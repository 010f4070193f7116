package api

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
)

// stored is a plan of the fixture as it was evaluated there.
func stored(t *testing.T, synergy string) *savings.Plan {
	for _, p := range newestPlans(fixture(t).programme.Plans) {
		if p.Synergy == synergy {
			plan, err := savings.ParsePlan([]byte(p.Body))
			require.NoError(t, err)
			return plan
		}
	}
	t.Fatalf("no plan of %s", synergy)
	return nil
}

func TestCoursesOfTheFixture(t *testing.T) {
	c := fixture(t).courses
	mill := stored(t, "s12-papeterie-hotte")
	x, ok := c.of("s12-papeterie-hotte", mill.Hash())
	require.True(t, ok)
	require.Len(t, x.Baselines, 1)
	require.Greater(t, x.Baselines[0].R2, 0.9)
	require.Greater(t, len(x.Baselines[0].Weeks), 80)
	_, ok = c.of("s12-papeterie-hotte", "another plan")
	require.False(t, ok, "pictures of an older plan are not shown under a newer one")
	x, ok = c.of("s02-malterie-laiterie", stored(t, "s02-malterie-laiterie").Hash())
	require.True(t, ok)
	require.True(t, x.Drift.Alarm)
	_, ok = (*Courses)(nil).of("s02-malterie-laiterie", "")
	require.False(t, ok)
}

func TestCoursesSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "courses.json")
	c, err := OpenCourses(path)
	require.NoError(t, err)
	plan := stored(t, "s05-bois-gazeification")
	set, err := indicators.ParseSet([]byte(fixture(t).programme.Factors[0].Body))
	require.NoError(t, err)
	from := plan.Reporting.From.Time()
	e, err := savings.Evaluate(plan, set, &savings.Data{From: from, Hours: 24 * 30, Series: map[metering.SeriesID]*savings.Series{}}, from.AddDate(0, 0, 29))
	require.NoError(t, err)
	require.NoError(t, c.Keep(e))
	again, err := OpenCourses(path)
	require.NoError(t, err)
	_, ok := again.of(plan.Synergy, plan.Hash())
	require.True(t, ok)
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = OpenCourses(path)
	require.ErrorContains(t, err, "courses.json")
	c.path = filepath.Join(path, "no folder")
	require.ErrorContains(t, c.Keep(e), "courses of synergies")
}

// TestBaselineIsForThoseWhoSeeTheReadings: the adjusted baseline shows what the
// site uses. The animator sees it while the mill consents to its readings.
func TestBaselineIsForThoseWhoSeeTheReadings(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	const page = "/synergies/s12-papeterie-hotte"
	require.Contains(t, w.signIn(t, s, access.Animator, "fr").get(page).body, `id="baseline-gas"`)
	require.NoError(t, w.registry.Withdraw(t.Context(), "papeterie", access.Animator, access.SeriesMatter))
	defer func() {
		for _, c := range w.programme.Consents {
			if c.Company == "papeterie" && c.To == access.Animator && c.What == access.SeriesMatter {
				c.From = fixtureNow
				require.NoError(t, w.registry.Consent(t.Context(), c))
			}
		}
	}()
	refused := w.signIn(t, s, access.Animator, "fr").get(page).body
	require.NotContains(t, refused, `id="baseline-gas"`)
	require.Contains(t, refused, "réservée à qui peut voir ses relevés")
	require.Contains(t, refused, `id="cumulative"`, "the synergy's own figures stay")
	require.Contains(t, w.signIn(t, s, access.Verifier, "fr").get(page).body, `id="baseline-gas"`)
}

func TestNoCoursesYet(t *testing.T) {
	w := fixture(t)
	s := w.server(t, func(o *Options) { o.Courses = nil })
	v := w.signIn(t, s, access.Verifier, "en")
	require.Contains(t, v.get("/synergies/s12-papeterie-hotte").body, "after the next assessment")
	body := v.get("/synergies/s02-malterie-laiterie").body
	require.Contains(t, body, "Difference from plan, added up", "without the watch, the plan is what one compares with")
	require.NotContains(t, body, "Watch for drift")
}
