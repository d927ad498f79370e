package main

import "context"

// A runner is the module with the real weights and labels in one host, and the
// kernels' module beside it.
type runner interface {
	// kernel returns the seconds that one call of cases.All[index] takes.
	kernel(ctx context.Context, index, calls int) (float64, error)
	// forget has the module drop the conditional prompts that it encoded.
	forget(ctx context.Context) error
	// classify classifies photo number index, with the default options.
	classify(ctx context.Context, index int) (times, error)
	// alone encodes texts one after another and returns the milliseconds that
	// they took together.
	alone(ctx context.Context, texts []string) (float64, error)
	// memory returns what is known of the memory in use, by name, in bytes.
	memory(ctx context.Context) (map[string]float64, error)
	close()
}

// times of one photo in milliseconds.
type times struct {
	Decode, Resize, Image, Stage1, Stage2 float64

	Total float64 // from the file's bytes to the answer
	Kept  float64 // rationales that stage 2 scored
}
