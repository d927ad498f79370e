package metrics

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/explain"
)

// Candidates and rationales of the hand-made example. Stripes are a rationale
// of two categories; the rock has none.
const (
	zebra = iota
	tiger
	car
	rock
)

const (
	stripes = iota
	legs
	fur
	wheels
)

func example() *explain.Labels {
	return &explain.Labels{
		Categories: []string{"zebra", "tiger", "car", "rock"},
		Rationales: []string{"stripes", "four legs", "orange fur", "wheels"},
		Own:        [][]int{{stripes, legs}, {stripes, fur}, {wheels}, {}},
	}
}

// table is a joint table of the example's labels with the given cells; the
// others are 0.
func table(cells map[[2]int]float32) *explain.Table {
	t := &explain.Table{Rationales: []int{stripes, legs, fur, wheels}, Marginal: make([]float32, 4)}
	for range 4 {
		t.Joint = append(t.Joint, make([]float32, 4))
	}
	for at, p := range cells {
		t.Joint[at[0]][at[1]] = p
		t.Marginal[at[0]] += p
	}
	return t
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		cells map[[2]int]float32
		gold  int
		want  Verdict
	}{
		"right pair first": {map[[2]int]float32{
			{zebra, stripes}: .4, {tiger, stripes}: .3, {tiger, fur}: .2, {tiger, legs}: .1}, zebra, RightRight},
		"the walk stops at the right pair, before the majority": {map[[2]int]float32{
			{zebra, legs}: .4, {car, stripes}: .2, {car, legs}: .15, {car, fur}: .15, {car, wheels}: .1}, zebra, RightRight},
		"right pair behind wrong reasons": {map[[2]int]float32{
			{zebra, wheels}: .4, {zebra, fur}: .3, {zebra, stripes}: .2, {car, wheels}: .1}, zebra, RightRight},
		"right category, wrong reasons only": {map[[2]int]float32{
			{zebra, wheels}: .5, {zebra, fur}: .25, {tiger, fur}: .1, {car, fur}: .1, {car, wheels}: .05}, zebra, RightWrong},
		"equal counts: the category met first is predicted, although the right pair follows": {map[[2]int]float32{
			{car, wheels}: .5, {zebra, stripes}: .3, {zebra, legs}: .2}, zebra, WrongWrong},
		"the repeated rationale makes a wrong category right for a gold reason": {map[[2]int]float32{
			{tiger, stripes}: .5, {zebra, legs}: .3, {zebra, stripes}: .2}, zebra, WrongRight},
		"all five pairs count for a wrong category, also those after the right pair": {map[[2]int]float32{
			{tiger, fur}: .4, {zebra, stripes}: .3, {tiger, wheels}: .2, {tiger, stripes}: .1}, zebra, WrongRight},
		"a reason of the predicted category only": {map[[2]int]float32{
			{tiger, fur}: .6, {tiger, wheels}: .4}, zebra, WrongWrong},
		"the sixth pair is too late": {map[[2]int]float32{
			{car, stripes}: .25, {car, legs}: .2, {car, fur}: .2, {tiger, fur}: .15, {tiger, wheels}: .12, {car, wheels}: .08}, car, RightWrong},
		"a category without rationales":                                  {map[[2]int]float32{{rock, stripes}: 1}, rock, None},
		"all pairs equal, first category":                                {map[[2]int]float32{}, zebra, RightRight},
		"all pairs equal: four of the first category, one of the second": {map[[2]int]float32{}, tiger, WrongRight},
		"all pairs equal, gold reason among the first category's":        {map[[2]int]float32{}, car, WrongRight},
	} {
		assert.Equal(t, c.want, Judge(table(c.cells), example(), c.gold).Verdict, name)
	}
}

func TestEqualPairsKeepTheirOrder(t *testing.T) {
	got := topPairs(table(map[[2]int]float32{
		{car, wheels}: .2, {tiger, fur}: .2, {tiger, stripes}: .2, {zebra, wheels}: .1, {rock, legs}: .3, {zebra, fur}: .1}))
	assert.Equal(t, []pair{{rock, legs, .3}, {tiger, stripes, .2}, {tiger, fur, .2}, {car, wheels, .2}, {zebra, fur, .1}}, got)
}

// TestCLIPVerdict: the category's own rationales are equally likely, and a
// category without any brings no pair.
func TestCLIPVerdict(t *testing.T) {
	l := example()
	combined := explain.Combine(explain.CLIP, l, &explain.Evidence{Categories: []float32{1, 3, 2, 9}})
	o := Judge(combined, l, tiger)
	assert.Equal(t, rock, o.Predicted)
	assert.Equal(t, 1, o.Rank)
	assert.Equal(t, RightRight, o.Verdict, "the rock has no pair; the first one is the tiger's")
	assert.Equal(t, WrongRight, Judge(combined, l, zebra).Verdict, "the tiger has stripes, too")
	assert.Equal(t, WrongWrong, Judge(combined, l, car).Verdict)
	pairs := topPairs(combined)
	require.Len(t, pairs, 5)
	assert.Equal(t, []int{stripes, fur}, []int{pairs[0].rationale, pairs[1].rationale}, "ties by rationale")
}

func TestFewerPairsThanFive(t *testing.T) {
	l := &explain.Labels{Categories: []string{"a", "b"}, Rationales: []string{"r"}, Own: [][]int{{0}, nil}}
	one := &explain.Table{Rationales: []int{0}, Joint: [][]float32{{.25}, {.75}}, Marginal: []float32{.25, .75}}
	o := Judge(one, l, 0)
	assert.Equal(t, WrongRight, o.Verdict)
	assert.Equal(t, [TopK]int{1, 0, -1, -1, -1}, o.Top)
}

func TestRankAndTop(t *testing.T) {
	m := &explain.Table{Marginal: []float32{.1, .2, .1, .3, .1, .2}, Joint: make([][]float32, 6)}
	l := &explain.Labels{Own: make([][]int, 6)}
	for gold, rank := range []int{3, 1, 4, 0, 5, 2} {
		o := Judge(m, l, gold)
		assert.Equal(t, rank, o.Rank, "candidate %d", gold)
		assert.Equal(t, 3, o.Predicted)
		assert.Equal(t, float32(.3), o.Confidence)
		assert.Equal(t, m.Marginal[gold], o.Gold)
		assert.Equal(t, [TopK]int{3, 1, 5, 0, 2}, o.Top)
	}
}

func TestVerdictNames(t *testing.T) {
	var names string
	for v := None; v <= WrongWrong; v++ {
		names += v.String()
	}
	assert.Equal(t, "--RRRWWRWW", names)
}
