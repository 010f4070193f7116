package baseline

import (
	"fmt"
	"math"
)

// Gate is a limit that a model should hold before its savings are believed.
type Gate struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Holds  bool    `json:"holds"`
	Source string  `json:"source"`
}

// Guideline14 are the limits of ASHRAE Guideline 14-2014 (table 4-2, prescriptive
// path, whole building): CV(RMSE) of 20 % when less than 12 months are reported,
// 25 % up to 60 months, 30 % beyond; net bias below 0.005 %. The third limit of
// that path, a fractional uncertainty of savings of at most 50 % at 68 %
// confidence, belongs to the savings.
func Guideline14(f *Fit, reportingMonths int) []Gate {
	limit := 0.20
	switch {
	case reportingMonths > 60:
		limit = 0.30
	case reportingMonths >= 12:
		limit = 0.25
	}
	const source = "ASHRAE Guideline 14-2014"
	return []Gate{
		{Name: "cvrmse", Value: f.CVRMSEAdj, Limit: limit, Holds: f.CVRMSEAdj <= limit, Source: source},
		{Name: "nmbe", Value: f.NMBE, Limit: 0.00005, Holds: math.Abs(f.NMBE) < 0.00005, Source: source},
	}
}

// OutOfSample are the errors on blocks of time that the model did not see.
type OutOfSample struct {
	Folds  int     `json:"folds"`
	N      int     `json:"n"`
	CVRMSE float64 `json:"cvrmse"` // √(Σe²/n) / mean
	NMBE   float64 `json:"nmbe"`   // Σ(y - ŷ)/Σy over all blocks
	Worst  float64 `json:"worst"`  // greatest |Σ(y - ŷ)/Σy| of a block
}

// CrossValidate fits a model without one block of time after the other and
// predicts that block. Least squares with an intercept have no bias on their own
// rows; this shows the bias on others.
func CrossValidate(frame *Frame, folds int, fit func(*Frame) (*Fit, error)) (OutOfSample, error) {
	out := OutOfSample{Folds: folds}
	n := frame.Len()
	if folds < 2 || folds > n {
		return out, fmt.Errorf("%d blocks of %d rows: at least 2 blocks, and a row in each", folds, n)
	}
	if err := frame.check(true); err != nil {
		return out, err
	}
	var sse, bias, sum float64
	for k := range folds {
		from, to := k*n/folds, (k+1)*n/folds
		rest := *frame
		rest.Energy = append([]float64{}, frame.Energy...)
		for i := from; i < to; i++ {
			rest.Energy[i] = math.NaN()
		}
		f, err := fit(&rest)
		if err != nil {
			return out, fmt.Errorf("without block %d of %d: %w", k+1, folds, err)
		}
		y, err := f.Predict(frame)
		if err != nil {
			return out, fmt.Errorf("predicting block %d of %d: %w", k+1, folds, err)
		}
		var b, s float64
		for i := from; i < to; i++ {
			if e := frame.Energy[i] - y[i]; !math.IsNaN(e) {
				out.N++
				sse += float64(e * e)
				b += e
				s += frame.Energy[i]
			}
		}
		bias, sum = bias+b, sum+s
		out.Worst = max(out.Worst, math.Abs(number(b/s)))
	}
	if out.N > 0 {
		out.NMBE = number(bias / sum)
		out.CVRMSE = number(math.Sqrt(sse/float64(out.N)) / (sum / float64(out.N)))
	}
	return out, nil
}
