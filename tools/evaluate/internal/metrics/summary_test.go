package metrics

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSummarize(t *testing.T) {
	outcomes := []Outcome{
		{Verdict: RightRight, Rank: 0, Confidence: .95, Gold: .95, Top: [TopK]int{0, 1, 2, 3, 4}},
		{Verdict: WrongWrong, Rank: 4, Confidence: .85, Gold: .01, Top: [TopK]int{1, 2, 3, 4, 0}},
		{Verdict: RightWrong, Rank: 0, Confidence: .85, Gold: .85, Top: [TopK]int{0, 1, 2, 3, 4}},
		{Verdict: None, Rank: 5, Confidence: .3, Gold: 0, Top: [TopK]int{1, 2, 3, 4, 5}},
	}
	related := func(gold, predicted int) bool { return gold == 0 && (predicted == 1 || predicted == 5) }
	s := Summarize(outcomes, []int{0, 0, 0, 0}, related)
	assert.Equal(t, 4, s.Photos)
	assert.Equal(t, .5, s.Top1)
	assert.Equal(t, .75, s.Top5)
	assert.Equal(t, 1.0, s.RelatedTop1)
	assert.Equal(t, 1.0, s.RelatedTop5)
	assert.Equal(t, 3, s.Judged)
	assert.InDeltaSlice(t, []float64{1. / 3, 1. / 3, 0, 1. / 3}, []float64{s.RR, s.RW, s.WR, s.WW}, 1e-12)
	// Bins 14, 12 and 4 with gaps 0.05, 0.15 - 0.85 and -0.3.
	assert.InDelta(t, (.05+.7+.3)/4, s.ECE, 1e-6)
	assert.InDelta(t, -(math.Log(.95)+math.Log(.01)+math.Log(.85)+math.Log(0x1p-126))/4, s.NLL, 1e-6)

	plain := Summarize(outcomes, []int{0, 0, 0, 0}, nil)
	assert.Zero(t, plain.RelatedTop1)
	assert.Equal(t, Summary{}, Summarize(nil, nil, nil))
}

func TestBins(t *testing.T) {
	for confidence, bin := range map[float32]int{0: 0, 1e-9: 0, .0666: 0, .0667: 1, .2: 3, .5: 7, .9333: 13, .9334: 14, 1: 14, 1.0000001: 14} {
		assert.Equal(t, bin, Bin(confidence), "%g", confidence)
	}
}

func TestCalibration(t *testing.T) {
	var c Calibration
	assert.Zero(t, c.Error())
	for i := range 100 { // as sure as right
		c.Add(.75, i%4 != 0)
	}
	assert.InDelta(t, 0, c.Error(), 1e-9)
	for range 100 { // sure and wrong
		c.Add(1, false)
	}
	assert.InDelta(t, .5, c.Error(), 1e-9)
}

func TestMean(t *testing.T) {
	m := Mean([]Summary{{Photos: 10, Judged: 8, Top1: .2, RR: .1, NLL: 2}, {Photos: 30, Judged: 30, Top1: .6, RR: .3, NLL: 4}})
	assert.Equal(t, 40, m.Photos)
	assert.Equal(t, 38, m.Judged)
	assert.InDeltaSlice(t, []float64{.4, .2, 3}, []float64{m.Top1, m.RR, m.NLL}, 1e-12)
}
