package checkpoint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Needs chooses the files that a checkpoint is read from among those of a repository, and refuses what could not be read,
// as far as names and configuration tell. read returns a small file's content, nil where there is none. Weights come last.
func Needs(names []string, read func(name string) ([]byte, error)) ([]string, error) {
	config, err := read(configFile)
	if err != nil {
		return nil, err
	}
	l := chooseLayout(names, config)
	if !slices.Contains(names, l.configFile()) {
		return nil, cmp.Or(otherWeights(names, l), fmt.Errorf("there is neither %s nor %s", configFile, openCLIPConfigFile))
	}
	if config, err = read(l.configFile()); err != nil {
		return nil, err
	}
	if _, err := ReadConfig(l.configFile(), config); err != nil {
		return nil, err
	}
	weights := weightsFile(names, l)
	if weights == "" {
		return nil, missingWeights(names, l)
	}
	needs := []string{l.configFile()}
	if l == (huggingFace{}) {
		if !slices.Contains(names, imageFile) {
			return nil, fmt.Errorf("there is no %s", imageFile)
		}
		needs = append(needs, imageFile)
	}
	switch {
	case slices.Contains(names, tokenizerFile):
		needs = append(needs, tokenizerFile)
	case slices.Contains(names, vocabFile) && slices.Contains(names, mergesFile):
		needs = append(needs, vocabFile, mergesFile)
	default:
		return nil, fmt.Errorf("there is neither %s nor %s with %s", tokenizerFile, vocabFile, mergesFile)
	}
	for _, name := range slices.Concat(licenseFiles, cardFiles) {
		if slices.Contains(names, name) {
			needs = append(needs, name)
		}
	}
	needs = append(needs, weights)
	if slices.Contains(l.weightsFiles(), weights) {
		return needs, nil
	}
	index, err := read(weights)
	if err != nil {
		return nil, err
	}
	shards, err := ParseIndex(index)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", weights, err)
	}
	return append(needs, slices.Compact(slices.Sorted(maps.Values(shards)))...), nil
}
