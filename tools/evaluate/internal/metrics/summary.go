package metrics

import "math"

// Bins is the number of bins of the calibration error.
const Bins = 15

// minProbability bounds the negative log-likelihood of a single photo: below
// it a float32 softmax gives zero.
const minProbability = 0x1p-126

// Summary is the figures of a method on a set. Shares are of 0..1.
type Summary struct {
	Photos int     `json:"photos"`
	Top1   float64 `json:"top1"`
	Top5   float64 `json:"top5"`

	// Shares of the Judged photos: those whose category has rationales.
	Judged int     `json:"judged"`
	RR     float64 `json:"rr"`
	RW     float64 `json:"rw"`
	WR     float64 `json:"wr"`
	WW     float64 `json:"ww"`

	ECE float64 `json:"ece"`
	NLL float64 `json:"nll"` // nats

	// Shares of the photos where a name that Related accepts is first, or among
	// the first five. Only where candidates overlap in meaning.
	RelatedTop1 float64 `json:"related_top1,omitempty"`
	RelatedTop5 float64 `json:"related_top5,omitempty"`
}

// Summarize returns the figures of outcomes. related says whether a predicted
// candidate is a wider or narrower word for the gold one of a photo; nil leaves
// the lenient figures out.
func Summarize(outcomes []Outcome, gold []int, related func(gold, predicted int) bool) Summary {
	s := Summary{Photos: len(outcomes)}
	var verdicts [WrongWrong + 1]int
	var top1, top5, related1, related5 int
	var nll float64
	var calibration Calibration
	for i, o := range outcomes {
		verdicts[o.Verdict]++
		if o.Rank == 0 {
			top1++
		}
		if o.Rank < TopK {
			top5++
		}
		nll -= math.Log(max(float64(o.Gold), minProbability))
		calibration.Add(o.Confidence, o.Rank == 0)
		if related == nil {
			continue
		}
		for k, c := range o.Top {
			if c >= 0 && (c == gold[i] || related(gold[i], c)) {
				related5++
				if k == 0 {
					related1++
				}
				break
			}
		}
	}
	n := float64(len(outcomes))
	s.Top1, s.Top5 = share(top1, n), share(top5, n)
	s.RelatedTop1, s.RelatedTop5 = share(related1, n), share(related5, n)
	s.ECE = calibration.Error()
	if n > 0 {
		s.NLL = nll / n
	}
	s.Judged = len(outcomes) - verdicts[None]
	judged := float64(s.Judged)
	s.RR, s.RW = share(verdicts[RightRight], judged), share(verdicts[RightWrong], judged)
	s.WR, s.WW = share(verdicts[WrongRight], judged), share(verdicts[WrongWrong], judged)
	return s
}

func share(n int, of float64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / of
}

// Calibration collects confidences and whether they were right. Its error is
// the expected calibration error of Guo et al. (arXiv 1706.04599): bins of
// equal width, (i/Bins, (i+1)/Bins], weighted by their photos.
type Calibration struct {
	gap [Bins]float64 // Σ right − confidence
	n   int
}

// Bin returns the bin that a confidence falls into.
func Bin(confidence float32) int {
	return min(max(int(math.Ceil(float64(confidence)*Bins))-1, 0), Bins-1)
}

// Add adds a photo.
func (c *Calibration) Add(confidence float32, right bool) {
	c.AddGap(Bin(confidence), Gap(confidence, right))
}

// Gap is what a photo adds to its bin: 1 where it is right, else 0, less its
// confidence.
func Gap(confidence float32, right bool) float64 {
	if right {
		return 1 - float64(confidence)
	}
	return -float64(confidence)
}

// AddGap adds a photo by its bin and gap.
func (c *Calibration) AddGap(bin int, gap float64) {
	c.gap[bin] += gap
	c.n++
}

// Error returns the error of the photos added, 0 where there are none.
func (c *Calibration) Error() float64 {
	if c.n == 0 {
		return 0
	}
	sum := 0.0
	for _, g := range c.gap {
		sum += math.Abs(g)
	}
	return sum / float64(c.n)
}

// Mean returns the mean of each figure over sets, and the sums of photos.
func Mean(sets []Summary) Summary {
	var m Summary
	n := float64(len(sets))
	for _, s := range sets {
		m.Photos += s.Photos
		m.Judged += s.Judged
		m.Top1 += s.Top1 / n
		m.Top5 += s.Top5 / n
		m.RR += s.RR / n
		m.RW += s.RW / n
		m.WR += s.WR / n
		m.WW += s.WW / n
		m.ECE += s.ECE / n
		m.NLL += s.NLL / n
	}
	return m
}
