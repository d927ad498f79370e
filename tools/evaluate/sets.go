package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/labels"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/photos"
)

// mappedSets are classified into the categories of mappedPack: they have one
// photo of each category and hundreds of categories.
var mappedSets = []string{"photos", "imagenet-samples"}

const mappedPack = "everyday"

// setOrder is the order in which sets are reported; others follow by name.
var setOrder = []string{
	"cifar10", "cifar100", "tiny-imagenet", "caltech101", "food101", "scenes6",
	"scene15-gray", "animals", "imagenet18", "natural3", "photos", "imagenet-samples",
}

// A set is photos with the tasks that they are scored on. The second and later
// tasks choose among a part of the first one's candidates.
type set struct {
	name   string
	photos photos.Set
	tasks  []*labels.Task
}

// findSets returns the sets of the command line, and why some of them cannot be
// opened.
func findSets(o *options, t *labels.Texts) (out []*set, failed []error, err error) {
	if o.data != "" && (len(o.sets) > 0 || len(o.folders) == 0) {
		names, err := setNames(o)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			s, err := openSet(o, t, name)
			if err != nil {
				failed = append(failed, fmt.Errorf("set %s: %w", name, err))
				continue
			}
			out = append(out, s)
		}
	}
	for _, dir := range o.folders {
		f, err := photos.Folder(dir)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		name := filepath.Base(filepath.Clean(dir))
		out = append(out, &set{name, f, []*labels.Task{t.Folder(name, f.Categories())}})
	}
	// Reports and compare know a set by its name.
	seen := map[string]bool{}
	for _, s := range out {
		if seen[s.name] {
			return nil, nil, fmt.Errorf("two sets are called %q", s.name)
		}
		seen[s.name] = true
	}
	if len(out) == 0 {
		return nil, nil, errors.Join(failed...)
	}
	return out, failed, nil
}

// setNames returns the sets asked for, or all that are there.
func setNames(o *options) ([]string, error) {
	entries, err := os.ReadDir(o.data)
	if err != nil {
		return nil, err
	}
	var there []string
	for _, e := range entries {
		dir := filepath.Join(o.data, e.Name())
		if photos.HasShards(dir) || e.Name() == "photos" {
			there = append(there, e.Name())
		}
	}
	slices.SortStableFunc(there, func(a, b string) int { return place(a) - place(b) })
	for _, s := range o.sets {
		if !slices.Contains(there, s) {
			return nil, fmt.Errorf("there is no set %q in %s, which has %s", s, o.data, strings.Join(there, ", "))
		}
	}
	switch {
	case len(there) == 0:
		return nil, fmt.Errorf("there is no photo set in %s", o.data)
	case len(o.sets) > 0:
		return o.sets, nil
	}
	return there, nil
}

func place(name string) int {
	if i := slices.Index(setOrder, name); i >= 0 {
		return i
	}
	return len(setOrder)
}

func openSet(o *options, t *labels.Texts, name string) (*set, error) {
	dir := filepath.Join(o.data, name)
	s := &set{name: name, photos: photos.Shards{Dir: dir, Split: o.split}}
	if !photos.HasShards(dir) {
		f, err := photos.Indexed(dir)
		if err != nil {
			return nil, err
		}
		s.photos = f
	}
	if slices.Contains(mappedSets, name) {
		task, err := t.Mapped(name, mappedPack)
		s.tasks = []*labels.Task{task}
		return s, err
	}
	categories, err := labels.ReadCategories(dir)
	if err != nil {
		return nil, err
	}
	s.tasks = []*labels.Task{t.Set(name, categories, o.source)}
	if others := t.WithoutPeople(name, categories, o.source); others != nil {
		s.tasks = append(s.tasks, others)
	}
	return s, nil
}
