package main

import "slices"

// Summary describes the runs of one measurement.
type Summary struct {
	Median float64 `json:"median"`
	P10    float64 `json:"p10"` // a tenth of the runs were as small or smaller
	Runs   int     `json:"runs"`
}

func summarize(runs []float64) Summary {
	if len(runs) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(runs))
	return Summary{Median: quantile(sorted, 0.5), P10: quantile(sorted, 0.1), Runs: len(runs)}
}

// quantile interpolates between the two values nearest to q, 0..1.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
