package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
)

// photo is a photo's outcome: right or wrong for a right or wrong reason.
func photo(right bool, confidence float32) metrics.Outcome {
	if right {
		return metrics.Outcome{Verdict: metrics.RightRight, Confidence: confidence, Gold: confidence}
	}
	return metrics.Outcome{Verdict: metrics.WrongWrong, Rank: 1, Predicted: 1, Confidence: confidence}
}

// newSet makes a set whose methods have the given outcomes.
func newSet(name string, methods map[string][]metrics.Outcome) *Set {
	s := &Set{Name: name, Methods: map[string]metrics.Summary{}, Outcomes: map[string]Outcomes{}, Full: true}
	for m, list := range methods {
		s.Photos = len(list)
		s.Methods[m] = metrics.Summarize(list, make([]int, len(list)), nil)
		s.Outcomes[m] = NewOutcomes(list)
	}
	for i := range s.Photos {
		s.Files = append(s.Files, fmt.Sprintf("%s/%d", name, i))
		s.Gold = append(s.Gold, 0)
	}
	return s
}

// sides makes outcomes of n photos: onlyA are right for the first method alone,
// onlyB for the second, the rest for both.
func sides(n, onlyA, onlyB int) (a, b []metrics.Outcome) {
	for i := range n {
		a = append(a, photo(i < onlyA || i >= onlyA+onlyB, .5))
		b = append(b, photo(i >= onlyA, .5))
	}
	return a, b
}

var bootstrap = Bootstrap{Resamples: 4000, Seed: 1}

func TestBootstrapKnownCase(t *testing.T) {
	a, b := sides(400, 100, 60)
	runs := map[string]*Run{"x": {Sets: []*Set{newSet("s", map[string][]metrics.Outcome{"ecor": a, "joint": b})}}}
	pair := Pair{Side{"x", "ecor"}, Side{"x", "joint"}}
	got, err := bootstrap.Compare(runs, []Pair{pair})
	require.NoError(t, err)
	d := got[0].Sets[0]
	assert.Equal(t, 400, d.Photos)
	assert.Equal(t, 400, d.Judged)
	// The mean of n draws of 1, -1 and 0 has variance (E[d²]-E[d]²)/n.
	half := 1.96 * math.Sqrt((160./400-.1*.1)/400)
	for _, i := range []Interval{d.RR, d.Top1} {
		assert.InDelta(t, .1, i.Value, 1e-12)
		assert.InDelta(t, .1-half, i.Low, .005)
		assert.InDelta(t, .1+half, i.High, .005)
	}
	// One bin: |340-200|/400 less |300-200|/400.
	assert.InDelta(t, .1, d.ECE.Value, 1e-9)

	again, err := bootstrap.Compare(runs, []Pair{pair, {pair.B, pair.A}})
	require.NoError(t, err)
	assert.Equal(t, got[0], again[0], "the seed fixes the resamples")
	assert.Equal(t, -d.RR.Low, again[1].Sets[0].RR.High, "the same resamples for every pair")
}

func TestBootstrapWithoutDoubt(t *testing.T) {
	right := []metrics.Outcome{photo(true, .9), photo(true, .9), photo(true, .9)}
	wrong := []metrics.Outcome{photo(false, .9), photo(false, .9), photo(false, .9)}
	runs := map[string]*Run{
		"x": {Sets: []*Set{newSet("s", map[string][]metrics.Outcome{"ecor": right})}},
		"y": {Sets: []*Set{newSet("s", map[string][]metrics.Outcome{"ecor": wrong})}},
	}
	got, err := bootstrap.Compare(runs, []Pair{{Side{"x", "ecor"}, Side{"y", "ecor"}}})
	require.NoError(t, err)
	d := got[0].Sets[0]
	assert.Equal(t, Interval{1, 1, 1}, d.RR)
	assert.Equal(t, Interval{1, 1, 1}, d.Top1)
	for _, v := range []float64{d.ECE.Value, d.ECE.Low, d.ECE.High} {
		assert.InDelta(t, .1-.9, v, 1e-6)
	}
}

// TestMeanOverSets: each set counts once, whatever its size; sets without
// verdicts, mapped ones and repeats do not count.
func TestMeanOverSets(t *testing.T) {
	a1, b1 := sides(200, 100, 0)
	a2, b2 := sides(50, 0, 10)
	unjudged := []metrics.Outcome{{Confidence: .5}}
	both := func(a, b []metrics.Outcome) map[string][]metrics.Outcome {
		return map[string][]metrics.Outcome{"ecor": a, "joint": b}
	}
	run := &Run{Sets: []*Set{
		newSet("one", both(a1, b1)), newSet("two", both(a2, b2)), newSet("unjudged", both(unjudged, unjudged)),
		newSet("mapped", both(a1, b1)), newSet("part of one", both(a1, b1)),
	}}
	run.Sets[3].Mapped, run.Sets[4].Repeats = true, true
	got, err := bootstrap.Compare(map[string]*Run{"x": run}, []Pair{{Side{"x", "ecor"}, Side{"x", "joint"}}})
	require.NoError(t, err)
	assert.Len(t, got[0].Sets, 5)
	assert.Equal(t, 2, got[0].MeanSets)
	mean := got[0].Mean
	assert.Equal(t, 250, mean.Photos)
	assert.InDelta(t, (.5-.2)/2, mean.RR.Value, 1e-12)
	half := 1.96 * math.Sqrt(.25/200+.16/50) / 2
	assert.InDelta(t, .15-half, mean.RR.Low, .01)
	assert.InDelta(t, .15+half, mean.RR.High, .01)

	run.Finish()
	assert.InDelta(t, (1+.8)/2, run.Mean["ecor"].RR, 1e-12)
	assert.Equal(t, 250, run.Mean["ecor"].Photos)
}

// TestPhotosInCommon: only photos that both runs have are compared.
func TestPhotosInCommon(t *testing.T) {
	a, b := sides(10, 5, 0)
	x, y := newSet("s", map[string][]metrics.Outcome{"ecor": a}), newSet("s", map[string][]metrics.Outcome{"ecor": b})
	y.Files[0] = "another"
	runs := map[string]*Run{"x": {Sets: []*Set{x}}, "y": {Sets: []*Set{y}}, "z": {}}
	got, err := bootstrap.Compare(runs, []Pair{{Side{"x", "ecor"}, Side{"y", "ecor"}}})
	require.NoError(t, err)
	assert.Equal(t, 9, got[0].Sets[0].Photos)
	assert.InDelta(t, 4./9, got[0].Sets[0].RR.Value, 1e-12)
	_, err = bootstrap.Compare(runs, []Pair{{Side{"x", "ecor"}, Side{"z", "ecor"}}})
	assert.EqualError(t, err, "x:ecor and z:ecor have no photo in common")
	_, err = bootstrap.Compare(runs, []Pair{{Side{"x", "ecor"}, Side{"x", "clip"}}})
	assert.ErrorContains(t, err, "have no photo in common")
}

func TestPairs(t *testing.T) {
	p, err := ParsePair("a-b:ecor-c:joint", []string{"a-b", "c"})
	require.NoError(t, err)
	assert.Equal(t, Pair{Side{"a-b", "ecor"}, Side{"c", "joint"}}, p)
	for _, bad := range []string{"", "c:ecor", "c:ecor-d:ecor", "c:best-c:ecor", "c-c"} {
		_, err := ParsePair(bad, []string{"a-b", "c"})
		assert.ErrorContains(t, err, "want RUN:METHOD-RUN:METHOD, with a run of a-b, c", bad)
	}
	assert.Len(t, DefaultPairs([]string{"a"}), 4)
	pairs := DefaultPairs([]string{"a", "b"})
	assert.Len(t, pairs, 13)
	assert.Equal(t, "b:joint less a:joint", fmt.Sprintf("%v less %v", pairs[12].A, pairs[12].B))
	assert.Equal(t, "int8", RunName("out/int8.json"))
}

func exampleRun() *Run {
	a, b := sides(4, 1, 1)
	b[3].Verdict = metrics.None
	s := newSet("s", map[string][]metrics.Outcome{"ecor": a, "clip": b})
	s.Names = []string{"cat", "dog"}
	mapped := newSet("m as everyday", map[string][]metrics.Outcome{"ecor": a})
	mapped.Mapped, mapped.Full, mapped.Uncovered, mapped.Unmapped = true, false, .125, 3
	mapped.Unreadable = []Fault{{"m/9", "empty file"}}
	s.NoRationale.Categories, s.NoRationale.Photos = 1, 1
	r := &Run{Weights: Weights{Name: "tiny", Scheme: "float32"}, Engine: "wazero", Split: "test", Sets: []*Set{s, mapped}}
	r.Finish()
	return r
}

func TestJSONRoundTrip(t *testing.T) {
	r := exampleRun()
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	path := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, r, got)
	assert.Equal(t, "WWRRRR--", got.Sets[0].Outcomes["clip"].Verdicts, "two letters a photo")

	for text, want := range map[string]string{
		"{":               "unexpected end",
		`{"format": "x"}`: `its format is "x", want "ecor-evaluation-1"`,
		strings.Replace(b.String(), `"ranks":[0,`, `"ranks":[`, 1): "outcomes of another number of photos than 4",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Read(path)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, path)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	r := exampleRun()
	require.NoError(t, r.WriteHead(&b))
	for _, s := range r.Sets {
		require.NoError(t, s.Write(&b))
	}
	require.NoError(t, r.WriteMean(&b))
	text := b.String()
	for _, want := range []string{
		"tiny, float32, wazero", "s: 4 photos, 0 categories",
		"1 categories have no rationale; their 1 photos are left out of RR, RW, WR and WW",
		"3 photos are left out: their categories are not among the candidates", "1 photos could not be read",
		"pruned: ecor, inverted and joint", "mean uncovered 12.5 %", "related top-1", "mean over the 1 sets with rationales",
	} {
		assert.Contains(t, text, want)
	}
	assert.Regexp(t, `(?m)^ +ecor +75\.0 +100\.0 +75\.0 +0\.0 +0\.0 +25\.0 +25\.0 `, text)
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, exampleRun().WriteCSV(&b))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, csvHeader, rows[0])
	assert.Equal(t, []string{"tiny", "float32", "s", "ecor", "4"}, rows[1][:5])
	assert.Equal(t, "clip", rows[2][3])
	assert.Equal(t, []string{"m as everyday", "ecor", "4", "1", "3"}, rows[3][2:7])
}

func TestWriteComparisons(t *testing.T) {
	c := Comparison{Pair: Pair{Side{"C", "ecor"}, Side{"A", "joint"}}, MeanSets: 1,
		Sets: []Difference{
			{Set: "s", Photos: 9, Judged: 8, RR: Interval{.101, -.0204, .3}, Top1: Interval{-.005, -.01, 0}},
			{Set: "plain", Photos: 3},
		},
		Mean: &Difference{Photos: 9, Judged: 8, RR: Interval{.101, -.0204, .3}},
	}
	var b strings.Builder
	require.NoError(t, WriteComparisons(&b, []Comparison{c, c}))
	assert.Contains(t, b.String(), "C:ecor less A:joint, in points, with 95 % intervals\n")
	assert.Regexp(t, `(?m)^ +s +9 +\+10\.1 \[-2\.0, \+30\.0\] +-0\.5 \[-1\.0, \+0\.0\] +\+0\.0 \[\+0\.0, \+0\.0\]$`, b.String())
	assert.Regexp(t, `(?m)^ +plain +3 +- `, b.String())
	assert.Regexp(t, `(?m)^ +mean of 1 sets +9 `, b.String())
}
