package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Fidelity says how near to the checkpoint's the results of the weights are. Parts are nil where there was nothing to
// judge them by.
type Fidelity struct {
	Images    *Cosines    `json:"images,omitempty"`
	Texts     *Cosines    `json:"texts,omitempty"`
	Agreement []Agreement `json:"agreement,omitempty"` // one for each label pack
	Accuracy  []Accuracy  `json:"accuracy,omitempty"`  // one for each folder
}

// Cosines summarises the cosines of embeddings to those of the float32 forward pass.
type Cosines struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P1    float64 `json:"p1"` // first percentile: no more than one in a hundred is below it
	Min   float64 `json:"min"`
}

// NewCosines summarises cosines, of which there is at least one.
func NewCosines(values []float64) *Cosines {
	sorted := slices.Sorted(slices.Values(values))
	c := &Cosines{Count: len(values), Min: sorted[0], P1: sorted[len(sorted)/100]}
	for _, v := range values {
		c.Mean += v / float64(len(values))
	}
	return c
}

// ClearMargin is the distance in logits between the first and the second category from which a photo counts as clear.
const ClearMargin = 0.5

// Agreement counts the photos that get the category that float32 gives them.
type Agreement struct {
	Labels    string `json:"labels"` // file of the pack
	Photos    int    `json:"photos"`
	Same      int    `json:"same"`
	Clear     int    `json:"clear"` // photos whose float32 margin is at least ClearMargin
	ClearSame int    `json:"clear_same"`
}

// Add counts a photo by its logits.
func (a *Agreement) Add(exact, got []float32) {
	first, second := Top2(exact)
	same := first == Top1(got)
	a.Photos++
	clear := second < 0 || exact[first]-exact[second] >= ClearMargin
	if clear {
		a.Clear++
	}
	if same {
		a.Same++
		if clear {
			a.ClearSame++
		}
	}
}

// Top1 returns the index of the largest value, the first of equal ones.
func Top1(v []float32) int {
	first, _ := Top2(v)
	return first
}

// Top2 returns the indices of the two largest values, -1 where there is none.
func Top2(v []float32) (first, second int) {
	first, second = -1, -1
	for i, x := range v {
		switch {
		case first < 0 || x > v[first]:
			first, second = i, first
		case second < 0 || x > v[second]:
			second = i
		}
	}
	return first, second
}

// Accuracy counts the labelled photos that get their category.
type Accuracy struct {
	Folder     string `json:"folder"`
	Categories int    `json:"categories"`
	Photos     int    `json:"photos"`
	Exact      int    `json:"float32"`
	Right      int    `json:"quantized"`
}

// Total adds up the photos of all folders.
func (f *Fidelity) Total() Accuracy {
	total := Accuracy{Folder: "all folders"}
	for _, a := range f.Accuracy {
		total.Categories += a.Categories
		total.Photos += a.Photos
		total.Exact += a.Exact
		total.Right += a.Right
	}
	return total
}

// Drop returns the percentage points that were lost.
func (a *Accuracy) Drop() float64 { return 100 * float64(a.Exact-a.Right) / float64(max(a.Photos, 1)) }

// Limits are the worst figures that a user allows; a part that is NaN is not looked at.
type Limits struct {
	Cosine    float64 // mean cosine, of images and of texts
	P1        float64 // first percentile of the cosines, of images and of texts
	Min       float64 // least cosine, of images and of texts
	Agreement float64 // share of clear photos that keep their category, with every label pack
	Same      float64 // share of all photos that keep their category, with every label pack
	Top1      float64 // percentage points of accuracy lost, over all folders
}

func (l *Limits) part(name string) *float64 {
	switch name {
	case "cosine":
		return &l.Cosine
	case "p1":
		return &l.P1
	case "min":
		return &l.Min
	case "agreement":
		return &l.Agreement
	case "same":
		return &l.Same
	case "top1":
		return &l.Top1
	}
	return nil
}

// given reports whether a limit is to be looked at.
func given(limit float64) bool { return !math.IsNaN(limit) }

// ParseLimits reads limits such as "cosine=0.995,p1=0.98,agreement=0.97,top1=0.5".
func ParseLimits(text string) (*Limits, error) {
	none := math.NaN()
	l := &Limits{none, none, none, none, none, none}
	for item := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(item, "=")
		part := l.part(name)
		if part == nil {
			return nil, fmt.Errorf("unknown figure %q: want cosine, p1, min, agreement, same or top1, as in cosine=0.995", name)
		}
		if given(*part) {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		v, err := strconv.ParseFloat(value, 64)
		most := 1.0
		if name == "top1" {
			most = 100
		}
		if err != nil || !(v >= 0 && v <= most) {
			return nil, fmt.Errorf("%s is %q: want a number from 0 to %g", name, value, most)
		}
		*part = v
	}
	return l, nil
}

// Need reports a limit on a figure that cannot be had from what there is to judge by.
func (l *Limits) Need(photos, labels, accuracy bool) error {
	switch {
	case (given(l.Cosine) || given(l.P1) || given(l.Min)) && !photos && !labels:
		return fmt.Errorf("cosine, p1 and min need photos or label packs to judge by")
	case (given(l.Agreement) || given(l.Same)) && !(photos && labels):
		return fmt.Errorf("agreement and same need photos and a label pack to judge by")
	case given(l.Top1) && !accuracy:
		return fmt.Errorf("top1 needs a folder of labelled photos")
	}
	return nil
}

// Check returns an error that names every figure that is worse than allowed, is no number or was not measured.
func (l *Limits) Check(f *Fidelity) error {
	var worse []string
	add := func(format string, args ...any) { worse = append(worse, fmt.Sprintf(format, args...)) }
	least := func(limit float64, what string, got float64) {
		if given(limit) && !(got >= limit) {
			add("%s is %.5f, at least %g is wanted", what, got, limit)
		}
	}
	missing := func(limit float64, name, why string) {
		if given(limit) {
			add("%s was not measured: %s", name, why)
		}
	}
	for _, c := range []struct {
		kind string
		*Cosines
	}{{"images", f.Images}, {"texts", f.Texts}} {
		if c.Cosines != nil {
			least(l.Cosine, "mean cosine of "+c.kind, c.Mean)
			least(l.P1, "first percentile of the cosines of "+c.kind, c.P1)
			least(l.Min, "least cosine of "+c.kind, c.Min)
		}
	}
	if f.Images == nil && f.Texts == nil {
		const why = "there are no photos and no texts to judge by"
		missing(l.Cosine, "cosine", why)
		missing(l.P1, "p1", why)
		missing(l.Min, "min", why)
	}
	for _, a := range f.Agreement {
		if a.Clear > 0 {
			least(l.Agreement, "agreement with "+a.Labels, float64(a.ClearSame)/float64(a.Clear))
		} else {
			missing(l.Agreement, "agreement with "+a.Labels, fmt.Sprintf("float32 leads by %g logits with none of %d photos", ClearMargin, a.Photos))
		}
		if a.Photos > 0 {
			least(l.Same, "share of photos that keep their category of "+a.Labels, float64(a.Same)/float64(a.Photos))
		} else {
			missing(l.Same, "same with "+a.Labels, "there are no photos")
		}
	}
	if f.Agreement == nil {
		const why = "there are no photos or no label packs to judge by"
		missing(l.Agreement, "agreement", why)
		missing(l.Same, "same", why)
	}
	if a := f.Total(); a.Photos == 0 {
		missing(l.Top1, "top1", "there are no labelled photos")
	} else if given(l.Top1) && !(a.Drop() <= l.Top1) {
		add("top-1 accuracy falls by %.2f points, at most %g are allowed", a.Drop(), l.Top1)
	}
	if worse == nil {
		return nil
	}
	return fmt.Errorf("the loss is greater than -max-loss allows: %s", strings.Join(worse, "; "))
}
