package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/labels"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/photos"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/progress"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/report"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/score"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// evaluate is the command without a name. Sets that fail leave the others as
// they are; files hold those that were finished.
func evaluate(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	texts, err := labels.Read(labels.Paths{Train: o.train, Packs: o.pack, Data: o.data})
	if err != nil {
		return err
	}
	sets, failed, err := findSets(o, texts)
	if err != nil {
		return err
	}
	// A file that cannot be written is known before the work, not after it.
	jsonFile, err := create(o.jsonFile)
	if err != nil {
		return err
	}
	defer jsonFile.discard()
	csvFile, err := create(o.csvFile)
	if err != nil {
		return err
	}
	defer csvFile.discard()
	run := &report.Run{Split: o.split, Limit: o.limit, Rationales: string(o.source)}
	m, check, closeModel, err := openModel(ctx, o, run)
	if err != nil {
		return err
	}
	defer func() {
		if e := closeModel(); err == nil {
			err = e
		}
	}()
	e := &evaluation{o, m, check, texts, stderr}
	if err := run.WriteHead(stdout); err != nil {
		return err
	}
	for _, s := range sets {
		results, err := e.set(ctx, s)
		if err != nil {
			failed = append(failed, fmt.Errorf("set %s: %w", s.name, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		run.Sets = append(run.Sets, results...)
		for _, r := range results {
			if err := r.Write(stdout); err != nil {
				return err
			}
		}
	}
	run.Finish()
	failed = append(failed, run.WriteMean(stdout), jsonFile.write(run.WriteJSON), csvFile.write(run.WriteCSV))
	return errors.Join(failed...)
}

// evaluation is what scoring a set needs.
type evaluation struct {
	*options
	model  *score.Model
	check  checkLabels
	texts  *labels.Texts
	stderr io.Writer
}

// set scores the photos of a set on each of its tasks.
func (e *evaluation) set(ctx context.Context, s *set) ([]*report.Set, error) {
	begun := time.Now()
	list, err := s.photos.List()
	if err != nil {
		return nil, err
	}
	first := s.tasks[0]
	numbers := known(list, first)
	unmapped := len(list) - len(numbers)
	if len(numbers) == 0 {
		return nil, fmt.Errorf("no photo of the split %q in a category that is known", e.split)
	}
	chosen := photos.Spread(e.limit, len(numbers))
	for i, c := range chosen {
		chosen[i] = numbers[c]
	}
	p := progress.Start(e.stderr, s.name+": photos", len(chosen))
	embeddings, failed, err := e.model.Images(ctx, s.photos, chosen, p.Add)
	p.End()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(failed, nil) && len(failed) > 0 {
		return nil, fmt.Errorf("none of %d photos can be read, the first: %w", len(failed), failed[0])
	}
	banks, err := e.banks(ctx, s)
	if err != nil {
		return nil, err
	}
	var out []*report.Set
	for i, task := range s.tasks {
		r := &report.Set{Name: task.Name, Unmapped: unmapped, Mapped: task.Mapped, Repeats: i > 0}
		scored := &score.Photos{}
		for j, n := range chosen {
			gold, ok := task.Gold[list[n].Category]
			switch {
			case !ok:
				r.Unmapped++
			case failed[j] != nil:
				r.Unreadable = append(r.Unreadable, report.Fault{Photo: list[n].Name, Error: failed[j].Error()})
				if i == 0 {
					fmt.Fprintf(e.stderr, "evaluate: %s: %s: %v\n", s.name, list[n].Name, failed[j])
				}
			default:
				scored.Embeddings = append(scored.Embeddings, embeddings[j*e.model.Dim:(j+1)*e.model.Dim]...)
				scored.Gold = append(scored.Gold, gold)
				r.Files = append(r.Files, list[n].Name)
			}
		}
		if err := e.score(ctx, r, task, banks[i], scored); err != nil {
			return nil, err
		}
		r.Seconds = time.Since(begun).Seconds()
		begun = time.Now()
		out = append(out, r)
	}
	return out, nil
}

// known returns the numbers of the photos whose category is a candidate.
func known(list []photos.Photo, t *labels.Task) []int {
	var out []int
	for i, p := range list {
		if _, ok := t.Gold[p.Category]; ok {
			out = append(out, i)
		}
	}
	return out
}

// full reports whether the whole table of the labels is scored.
func (e *evaluation) full(l *explain.Labels) bool {
	return len(l.Categories)*len(l.Rationales) <= e.fullPairs
}

// banks encodes the prompts of the set's tasks; what later tasks need is taken
// from the first one's.
func (e *evaluation) banks(ctx context.Context, s *set) ([]*score.Bank, error) {
	l := s.tasks[0].Labels()
	warnings, err := e.warnings(ctx, s.tasks[0])
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		fmt.Fprintf(e.stderr, "evaluate: %s: %s\n", s.name, w)
	}
	full := e.full(l)
	p := progress.Start(e.stderr, s.name+": prompts", score.Prompts(l, full))
	defer p.End()
	b, err := e.model.NewBank(ctx, l, full, p.Add)
	if err != nil {
		return nil, err
	}
	banks := []*score.Bank{b}
	for _, t := range s.tasks[1:] {
		banks = append(banks, b.Subset(t.Labels()))
	}
	return banks, nil
}

// warnings has the engine check a task's labels, as far as it can: it wants
// rationales for every category.
func (e *evaluation) warnings(ctx context.Context, t *labels.Task) ([]string, error) {
	var set wire.LabelSet
	for _, c := range t.Candidates {
		if len(c.Rationales) > 0 {
			set.Categories = append(set.Categories, wire.Category(c))
		}
	}
	if len(set.Categories) == 0 {
		return nil, nil
	}
	return e.check(ctx, set)
}

// score fills in the figures of a task.
func (e *evaluation) score(ctx context.Context, r *report.Set, task *labels.Task, b *score.Bank, p *score.Photos) error {
	l := b.Labels()
	r.Photos, r.Gold, r.Names = len(p.Gold), p.Gold, l.Categories
	r.Categories, r.Rationales, r.Full = len(l.Categories), len(l.Rationales), b.Full()
	photosOf := make([]int, len(l.Categories))
	for _, g := range p.Gold {
		photosOf[g]++
	}
	for i, own := range l.Own {
		if len(own) == 0 {
			r.NoRationale.Categories++
			r.NoRationale.Photos += photosOf[i]
		}
	}
	result, err := e.outcomes(ctx, task.Name, b, p)
	if err != nil {
		return err
	}
	r.Uncovered = result.Uncovered
	var related func(gold, predicted int) bool
	if task.Mapped {
		related = func(gold, predicted int) bool { return e.texts.Related(l.Categories[gold], l.Categories[predicted]) }
	}
	r.Methods = make(map[string]metrics.Summary)
	r.Outcomes = make(map[string]report.Outcomes)
	for i, m := range score.Methods() {
		if m.NeedsRationales() && len(l.Rationales) == 0 {
			continue
		}
		name := wire.Method(m).String()
		r.Methods[name] = metrics.Summarize(result.Outcomes[i], p.Gold, related)
		r.Outcomes[name] = report.NewOutcomes(result.Outcomes[i])
	}
	return nil
}

func (e *evaluation) outcomes(ctx context.Context, name string, b *score.Bank, p *score.Photos) (*score.Result, error) {
	if b.Full() {
		bar := progress.Start(e.stderr, name+": scoring photos", len(p.Gold))
		defer bar.End()
		return e.model.Full(ctx, b, p, bar.Add)
	}
	bar := progress.Start(e.stderr, name+": prompts of kept rationales", 0)
	defer bar.End()
	return e.model.Pruned(ctx, b, p, score.Pruning{Coverage: float32(e.coverage), MaxRationales: e.maxRationales}, bar.Expect, bar.Add)
}
