package report

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// A Side is a method of a run.
type Side struct {
	Run    string `json:"run"`
	Method string `json:"method"`
}

// String returns RUN:METHOD.
func (s Side) String() string { return s.Run + ":" + s.Method }

// A Pair is two sides; differences are A's figure less B's.
type Pair struct {
	A Side `json:"a"`
	B Side `json:"b"`
}

// ParsePair reads RUN:METHOD-RUN:METHOD, where the runs are among those given.
func ParsePair(s string, runs []string) (Pair, error) {
	for at := range len(s) { // names of runs may hold a dash
		if s[at] != '-' {
			continue
		}
		a, errA := parseSide(s[:at], runs)
		b, errB := parseSide(s[at+1:], runs)
		if errA == nil && errB == nil {
			return Pair{a, b}, nil
		}
	}
	return Pair{}, fmt.Errorf("pair %q: want RUN:METHOD-RUN:METHOD, with a run of %s", s, strings.Join(runs, ", "))
}

func parseSide(s string, runs []string) (Side, error) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 || !slices.Contains(runs, s[:at]) {
		return Side{}, errors.New("no such run")
	}
	m, err := wire.ParseMethod(s[at+1:])
	return Side{s[:at], m.String()}, err
}

// RunName is what a result file is called in pairs.
func RunName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }

// DefaultPairs compares, within each run, ecor with every other method, and
// each method of a later run with the same one of the first.
func DefaultPairs(runs []string) []Pair {
	var out []Pair
	ecor := wire.MethodECOR.String()
	for _, r := range runs {
		for _, m := range wire.Methods()[1:] {
			out = append(out, Pair{Side{r, ecor}, Side{r, m.String()}})
		}
	}
	for _, r := range runs[1:] {
		for _, m := range wire.Methods() {
			out = append(out, Pair{Side{r, m.String()}, Side{runs[0], m.String()}})
		}
	}
	return out
}

// Interval is a difference with its 95 % interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Difference is how two sides differ on a set, in shares of 0..1.
type Difference struct {
	Set    string   `json:"set"`
	Photos int      `json:"photos"` // that both sides have
	Judged int      `json:"judged"` // of them, with a verdict; 0 makes RR meaningless
	RR     Interval `json:"rr"`
	Top1   Interval `json:"top1"`
	ECE    Interval `json:"ece"`
}

// Comparison is how a pair differs on each set and on their mean.
type Comparison struct {
	Pair
	Sets []Difference `json:"sets"`
	// Mean over the sets with verdicts that count in means.
	Mean     *Difference `json:"mean,omitempty"`
	MeanSets int         `json:"mean_sets"`
}

// Bootstrap says how intervals are found: by the percentiles of resampled
// differences (Efron & Tibshirani, An Introduction to the Bootstrap, ch. 13).
// Photos are resampled within each set, the same ones for both sides.
type Bootstrap struct {
	Resamples int
	Seed      uint64
}

// Compare compares the sides of each pair. runs holds the runs by name. The
// result depends on nothing but its arguments.
func (b Bootstrap) Compare(runs map[string]*Run, pairs []Pair) ([]Comparison, error) {
	out := make([]Comparison, len(pairs))
	failed := make([]error, len(pairs))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i, p := range pairs {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i], failed[i] = b.compare(runs, p)
		})
	}
	group.Wait()
	return out, errors.Join(failed...)
}

func (b Bootstrap) compare(runs map[string]*Run, p Pair) (Comparison, error) {
	c := Comparison{Pair: p}
	mean := newSamples(b.Resamples)
	photos, judged := 0, 0
	for _, sa := range runs[p.A.Run].Sets {
		i := slices.IndexFunc(runs[p.B.Run].Sets, func(s *Set) bool { return s.Name == sa.Name })
		if i < 0 {
			continue
		}
		sb := runs[p.B.Run].Sets[i]
		common := align(sa, sb, p)
		if len(common) == 0 {
			continue
		}
		d, samples := b.set(sa.Name, common)
		c.Sets = append(c.Sets, d)
		if sa.InMean() && d.Judged > 0 {
			mean.add(samples)
			c.MeanSets++
			photos += d.Photos
			judged += d.Judged
		}
	}
	if len(c.Sets) == 0 {
		return c, fmt.Errorf("%v and %v have no photo in common", p.A, p.B)
	}
	if c.MeanSets > 0 {
		mean.scale(1 / float64(c.MeanSets))
		c.Mean = mean.difference()
		c.Mean.Photos, c.Mean.Judged = photos, judged
	}
	return c, nil
}

// aligned is what both sides made of one photo.
type aligned struct {
	judged, rr, top1 int // rr and top1: 1 where only A is right, -1 where only B is
	bin              [2]int
	gap              [2]float64
}

// align pairs the photos that both sets have, in the order of a.
func align(a, b *Set, p Pair) []aligned {
	oa, okA := a.Outcomes[p.A.Method]
	ob, okB := b.Outcomes[p.B.Method]
	if !okA || !okB {
		return nil
	}
	at := make(map[string]int, len(b.Files))
	for i, f := range b.Files {
		at[f] = i
	}
	var out []aligned
	for i, f := range a.Files {
		j, ok := at[f]
		if !ok {
			continue
		}
		var x aligned
		va, vb := oa.Verdicts[2*i:2*i+2], ob.Verdicts[2*j:2*j+2]
		if va != metrics.None.String() && vb != metrics.None.String() {
			x.judged = 1
			x.rr = one(va == metrics.RightRight.String()) - one(vb == metrics.RightRight.String())
		}
		rightA, rightB := oa.Ranks[i] == 0, ob.Ranks[j] == 0
		x.top1 = one(rightA) - one(rightB)
		x.bin = [2]int{metrics.Bin(oa.Confidence[i]), metrics.Bin(ob.Confidence[j])}
		x.gap = [2]float64{metrics.Gap(oa.Confidence[i], rightA), metrics.Gap(ob.Confidence[j], rightB)}
		out = append(out, x)
	}
	return out
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// figures are differences: RR, top-1, ECE.
type figures [3]float64

// tally sums photos up.
type tally struct {
	n, judged, rr, top1 int
	gap                 [2][metrics.Bins]float64
}

func (t *tally) add(x *aligned) {
	t.n++
	t.judged += x.judged
	t.rr += x.rr
	t.top1 += x.top1
	t.gap[0][x.bin[0]] += x.gap[0]
	t.gap[1][x.bin[1]] += x.gap[1]
}

func (t *tally) figures() figures {
	var ece float64
	for i := range metrics.Bins {
		ece += math.Abs(t.gap[0][i]) - math.Abs(t.gap[1][i])
	}
	return figures{float64(t.rr) / float64(max(t.judged, 1)), float64(t.top1) / float64(t.n), ece / float64(t.n)}
}

// samples holds the figures of the photos as they are and of each resample.
type samples struct {
	value    figures
	resample []figures
}

func newSamples(n int) *samples { return &samples{resample: make([]figures, n)} }

func (b Bootstrap) set(name string, photos []aligned) (Difference, *samples) {
	s := newSamples(b.Resamples)
	var t tally
	for i := range photos {
		t.add(&photos[i])
	}
	s.value = t.figures()
	h := fnv.New64a()
	h.Write([]byte(name))
	random := rand.New(rand.NewPCG(b.Seed, h.Sum64()))
	for i := range s.resample {
		var t tally
		for range photos {
			t.add(&photos[random.IntN(len(photos))])
		}
		s.resample[i] = t.figures()
	}
	d := s.difference()
	d.Set, d.Photos, d.Judged = name, len(photos), t.judged
	return *d, s
}

func (s *samples) add(o *samples) {
	for k := range s.value {
		s.value[k] += o.value[k]
		for i := range s.resample {
			s.resample[i][k] += o.resample[i][k]
		}
	}
}

func (s *samples) scale(f float64) {
	for k := range s.value {
		s.value[k] *= f
		for i := range s.resample {
			s.resample[i][k] *= f
		}
	}
}

func (s *samples) difference() *Difference {
	return &Difference{RR: s.interval(0), Top1: s.interval(1), ECE: s.interval(2)}
}

// interval returns the figure and the 2.5 and 97.5 % quantiles of its resamples.
func (s *samples) interval(k int) Interval {
	v := make([]float64, len(s.resample))
	for i, f := range s.resample {
		v[i] = f[k]
	}
	slices.Sort(v)
	n := float64(len(v))
	return Interval{s.value[k], v[int(0.025*n)], v[int(math.Ceil(0.975*n))-1]}
}
