// Package report holds the results of an evaluation, with what became of every
// photo, writes them for people and for programs, and compares runs.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// Format is the value of a result file's "format".
const Format = "ecor-evaluation-1"

// Run is one evaluation: one weights file on some sets.
type Run struct {
	Format     string         `json:"format"`
	Weights    Weights        `json:"weights"`
	Engine     string         `json:"engine"` // "wazero" or "native"
	Kernel     string         `json:"kernel"`
	Templates  wire.Templates `json:"templates"`
	Split      string         `json:"split"`
	Limit      int            `json:"limit,omitempty"` // photos of a set at most
	Rationales string         `json:"rationales"`      // which count as right
	Sets       []*Set         `json:"sets"`
	// Mean over the sets with rationales, each counted once.
	Mean map[string]metrics.Summary `json:"mean,omitempty"`
}

// Weights names a weights file.
type Weights struct {
	File         string `json:"file"`
	Name         string `json:"name"`
	Scheme       string `json:"scheme"`
	SHA256       string `json:"sha256"`
	SourceSHA256 string `json:"source_sha256"`
}

// Set is the results on one set.
type Set struct {
	Name        string  `json:"name"`
	Photos      int     `json:"photos"`             // scored
	Unmapped    int     `json:"unmapped,omitempty"` // of categories that are no candidate's
	Unreadable  []Fault `json:"unreadable,omitempty"`
	Categories  int     `json:"categories"` // candidates
	Rationales  int     `json:"rationales"` // distinct
	NoRationale struct {
		Categories int `json:"categories"`
		Photos     int `json:"photos"`
	} `json:"without_rationale"`
	// Full tells that the whole table of categories and rationales was scored.
	// Otherwise Uncovered is the mean stage-1 mass that was not.
	Full      bool    `json:"full"`
	Uncovered float64 `json:"uncovered,omitempty"`
	// Repeats is set where the photos are, in part, those of another set.
	Repeats bool    `json:"repeats,omitempty"`
	Mapped  bool    `json:"mapped,omitempty"`
	Seconds float64 `json:"seconds"`

	Methods map[string]metrics.Summary `json:"methods"`

	Names    []string            `json:"names"` // of the candidates
	Files    []string            `json:"files"` // of the photos scored
	Gold     []int               `json:"gold"`  // candidate of each photo
	Outcomes map[string]Outcomes `json:"outcomes"`
}

// Fault is a photo that could not be scored.
type Fault struct {
	Photo string `json:"photo"`
	Error string `json:"error"`
}

// Outcomes is what a method made of each photo of a set.
type Outcomes struct {
	Verdicts   string    `json:"verdicts"` // two letters a photo, "--" where its category has no rationale
	Ranks      []int     `json:"ranks"`    // of the gold candidate, from 0
	Predicted  []int     `json:"predicted"`
	Confidence []float32 `json:"confidence"` // P(predicted|I)
	GoldP      []float32 `json:"gold_p"`     // P(gold|I)
}

// NewOutcomes packs outcomes.
func NewOutcomes(list []metrics.Outcome) Outcomes {
	var o Outcomes
	var verdicts strings.Builder
	for _, x := range list {
		verdicts.WriteString(x.Verdict.String())
		o.Ranks = append(o.Ranks, x.Rank)
		o.Predicted = append(o.Predicted, x.Predicted)
		o.Confidence = append(o.Confidence, x.Confidence)
		o.GoldP = append(o.GoldP, x.Gold)
	}
	o.Verdicts = verdicts.String()
	return o
}

// Finish computes the means over the sets.
func (r *Run) Finish() {
	r.Format = Format
	r.Mean = make(map[string]metrics.Summary)
	for _, m := range wire.Methods() {
		var all []metrics.Summary
		for _, s := range r.Sets {
			if sum := s.Methods[m.String()]; s.InMean() && sum.Judged > 0 {
				all = append(all, sum)
			}
		}
		if len(all) > 0 {
			r.Mean[m.String()] = metrics.Mean(all)
		}
	}
}

// InMean reports whether the set counts in means over sets.
func (s *Set) InMean() bool { return !s.Repeats && !s.Mapped }

// WriteJSON writes the run as one line of JSON.
func (r *Run) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// Read reads the run in the file at path and checks it.
func Read(path string) (*Run, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Run)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("%s: its format is %.40q, want %q", path, r.Format, Format)
	}
	for _, s := range r.Sets {
		for m, o := range s.Outcomes {
			n := len(s.Files)
			if len(o.Verdicts) != 2*n || len(o.Ranks) != n || len(o.Confidence) != n {
				return nil, fmt.Errorf("%s: set %s, method %s: outcomes of another number of photos than %d", path, s.Name, m, n)
			}
		}
	}
	return r, nil
}
