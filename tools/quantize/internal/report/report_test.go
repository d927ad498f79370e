package report

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

// The worst tensor comes first, by the worse of its two ratios.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Table(&b, []quant.Stored{
		{Name: "logit_scale", Scheme: "float32", Bytes: 4, SQNR: math.Inf(1)},
		{Name: "a.weight", Shape: []int{24, 32}, Scheme: "int8 per row", Bytes: 864, SQNR: 45.44},
		{Name: "b.weight", Shape: []int{2, 2}, Scheme: "int8 per row", Bytes: 12, SQNR: math.Inf(1), Output: 39},
		{Name: "c.weight", Shape: []int{2, 2}, Scheme: "4-bit groups", Bytes: 12, SQNR: 21, Output: 20.06},
	}))
	assert.Equal(t, ""+
		"tensor    shape  scheme        bytes  SQNR dB  output dB\n"+
		"c.weight  2×2    4-bit groups  12     21.0     20.1\n"+
		"b.weight  2×2    int8 per row  12     exact    39.0\n"+
		"a.weight  24×32  int8 per row  864    45.4     -\n"+
		"1 others         float32       4      exact    -\n", b.String())
}

// A tensor whose outputs were not compared came last, however much its weights had lost.
func TestTensorsWithoutOutputsAreRanked(t *testing.T) {
	var names []string
	for _, l := range Layers([]quant.Stored{
		{Name: "good", Scheme: "int8 per row", SQNR: 45, Output: 40},
		{Name: "embedding", Scheme: "4-bit groups", SQNR: 5},
		{Name: "outputs", Scheme: "4-bit groups", SQNR: 30, Output: 20},
		{Name: "weights", Scheme: "4-bit groups", SQNR: 10, Output: 25},
		{Name: "exact", Scheme: "int8 per row", SQNR: math.Inf(1)},
	}) {
		names = append(names, l.Name)
	}
	assert.Equal(t, []string{"embedding", "weights", "outputs", "good", "exact"}, names)
}

func TestCosines(t *testing.T) {
	values := make([]float64, 200)
	for i := range values {
		values[i] = 1 - float64(i)/1000
	}
	c := NewCosines(values)
	assert.Equal(t, 200, c.Count)
	assert.InDelta(t, 0.801, c.Min, 1e-9)
	assert.InDelta(t, 0.803, c.P1, 1e-9, "two of 200 are below it")
	assert.InDelta(t, 0.9005, c.Mean, 1e-9)
	assert.Equal(t, &Cosines{1, 0.5, 0.5, 0.5}, NewCosines([]float64{0.5}))
}

func TestAgreement(t *testing.T) {
	var a Agreement
	a.Add([]float32{1, 3, 2.6}, []float32{0, 0, 1}) // not clear, another one
	a.Add([]float32{1, 3, 2.5}, []float32{0, 1, 0}) // clear, the same
	a.Add([]float32{9, 3, 2}, []float32{0, 1, 0})   // clear, another one
	a.Add([]float32{1}, []float32{2})               // nothing to choose from
	assert.Equal(t, Agreement{Photos: 4, Same: 2, Clear: 3, ClearSame: 2}, a)
}

func TestParseLimits(t *testing.T) {
	l, err := ParseLimits("cosine=0.995,top1=0.5")
	require.NoError(t, err)
	assert.Equal(t, []any{0.995, 0.5}, []any{l.Cosine, l.Top1})
	assert.True(t, math.IsNaN(l.P1) && math.IsNaN(l.Agreement))
	for text, want := range map[string]string{
		"":                      `unknown figure ""`,
		"speed=1":               `unknown figure "speed": want cosine, p1, min, agreement, same or top1`,
		"cosine":                `cosine is "": want a number from 0 to 1`,
		"cosine=1.1":            `cosine is "1.1": want a number from 0 to 1`,
		"cosine=NaN":            `cosine is "NaN"`,
		"top1=101":              `top1 is "101": want a number from 0 to 100`,
		"cosine=0.9,cosine=0.8": "cosine is given twice",
	} {
		_, err := ParseLimits(text)
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, l.Need(true, true, false), "top1 needs a folder")
	require.ErrorContains(t, l.Need(false, false, true), "cosine, p1 and min need photos or label packs")
	require.NoError(t, l.Need(false, true, true))
	for _, text := range []string{"agreement=0.9", "same=0.9"} {
		l, err = ParseLimits(text)
		require.NoError(t, err)
		require.ErrorContains(t, l.Need(true, false, false), "agreement and same need photos and a label pack")
		require.ErrorContains(t, l.Need(false, true, true), "agreement and same need photos and a label pack")
	}
}

func TestLimitsCheck(t *testing.T) {
	l, err := ParseLimits("cosine=0.99,p1=0.9,min=0.05,agreement=0.5,same=0.25,top1=1")
	require.NoError(t, err)
	good := &Fidelity{
		Images: &Cosines{10, 0.99, 0.9, 0.1}, Texts: &Cosines{10, 1, 1, 1},
		Agreement: []Agreement{{"a.json", 4, 2, 2, 1}, {"b.json", 4, 1, 1, 1}},
		Accuracy:  []Accuracy{{"dir", 2, 50, 25, 22}, {"other", 2, 50, 25, 27}},
	}
	require.NoError(t, l.Check(good))
	err = l.Check(&Fidelity{
		Texts:     &Cosines{10, 0.98, 0.8, 0.01},
		Agreement: []Agreement{{"a.json", 10, 2, 4, 1}},
		Accuracy:  []Accuracy{{"dir", 2, 100, 50, 48}},
	})
	for _, want := range []string{
		"mean cosine of texts is 0.98000, at least 0.99 is wanted", "first percentile of the cosines of texts is 0.80000",
		"least cosine of texts is 0.01000, at least 0.05 is wanted", "agreement with a.json is 0.25000",
		"share of photos that keep their category of a.json is 0.20000", "top-1 accuracy falls by 2.00 points, at most 1 are allowed",
	} {
		require.ErrorContains(t, err, want)
	}
}

// A cosine that is no number is not below any limit, and passed.
func TestNaNIsWorseThanAnyLimit(t *testing.T) {
	l, err := ParseLimits("cosine=0,p1=0,min=0")
	require.NoError(t, err)
	nan := math.NaN()
	err = l.Check(&Fidelity{Images: &Cosines{10, nan, nan, nan}})
	for _, want := range []string{"mean cosine of images is NaN", "first percentile of the cosines of images is NaN", "least cosine of images is NaN"} {
		require.ErrorContains(t, err, want)
	}
}

// A limit on a figure that there was nothing to measure by passed.
func TestLimitOnWhatWasNotMeasured(t *testing.T) {
	none, some := &Fidelity{}, &Fidelity{
		Images:    &Cosines{4, 1, 1, 1},
		Agreement: []Agreement{{"a.json", 4, 4, 4, 4}, {"b.json", 4, 4, 0, 0}},
	}
	for _, c := range []struct {
		limits string
		f      *Fidelity
		want   string
	}{
		{"cosine=0", none, "cosine was not measured: there are no photos and no texts to judge by"},
		{"p1=0", none, "p1 was not measured"},
		{"min=0", none, "min was not measured"},
		{"agreement=0", none, "agreement was not measured: there are no photos or no label packs to judge by"},
		{"same=0", none, "same was not measured"},
		{"top1=100", none, "top1 was not measured: there are no labelled photos"},
		{"agreement=0", some, "agreement with b.json was not measured: float32 leads by 0.5 logits with none of 4 photos"},
		{"same=0", &Fidelity{Agreement: []Agreement{{Labels: "a.json"}}}, "same with a.json was not measured: there are no photos"},
	} {
		l, err := ParseLimits(c.limits)
		require.NoError(t, err)
		require.ErrorContains(t, l.Check(c.f), c.want, c.limits)
	}
	l, err := ParseLimits("cosine=1,p1=1,min=1,same=1")
	require.NoError(t, err)
	require.NoError(t, l.Check(some))
}

func TestFidelityTable(t *testing.T) {
	var b bytes.Buffer
	f := Fidelity{
		Images:    &Cosines{3, 0.998, 0.99, 0.98},
		Agreement: []Agreement{{"a.json", 4, 3, 2, 2}},
		Accuracy:  []Accuracy{{"dir", 2, 100, 50, 49}},
	}
	require.NoError(t, f.Table(&b))
	assert.Equal(t, ""+
		"cosine to float32    3 photos           mean 0.99800                 1st percentile 0.99000  least 0.98000\n"+
		"same top-1 category  a.json             75.00 % (3/4) of all photos  100.00 % (2/2) where float32 leads by 0.5 logits or more\n"+
		"top-1 accuracy       dir, 2 categories  float32 50.00 % (50/100)     quantized 49.00 % (49/100)\n", b.String())
}

func TestBytes(t *testing.T) {
	assert.Equal(t, "0.0 kB", Bytes(4))
	assert.Equal(t, "999.9 kB", Bytes(999_900))
	assert.Equal(t, "12.35 MB", Bytes(12_345_678))
}

// Where nobody watches, progress is a line now and then and one at the end.
func TestPlainProgress(t *testing.T) {
	var b bytes.Buffer
	task := NewProgress(&b).Start("hashing", 200)
	task.Write(make([]byte, 50))
	assert.Empty(t, b.String())
	task.shown = task.shown.Add(-lineInterval)
	task.Add(50)
	task.Add(100)
	assert.Equal(t, "hashing: 50 %\n", b.String())
	task.begun = time.Now().Add(-2 * time.Second)
	task.Done()
	assert.Equal(t, "hashing: 50 %\nhashing: done in 2.0 s\n", b.String())
}
