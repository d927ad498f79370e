package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Calibration holds the ranges of activations that were seen on calibration photos and texts.
type Calibration struct {
	// Ranges maps a linear layer's name to the largest absolute value of each of its inputs (in).
	Ranges map[string][]float32
}

const (
	calibrationFile   = "calibration.json"
	calibrationFormat = "ecor-calibration-1"
)

// readCalibration returns nil where there is no calibration.json.
func readCalibration(dir string, tensors []Tensor) (*Calibration, error) {
	b, err := os.ReadFile(filepath.Join(dir, calibrationFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c struct {
		Format string               `json:"format"`
		Ranges map[string][]float32 `json:"ranges"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", calibrationFile, err)
	}
	if c.Format != calibrationFormat {
		return nil, fmt.Errorf("%s: format is %q: want %q", calibrationFile, c.Format, calibrationFormat)
	}
	inputs := map[string]int{}
	for _, t := range tensors {
		if t.Kind == Linear {
			inputs[t.Name] = elements(t.Shape[1:])
		}
	}
	for name, r := range c.Ranges {
		in, ok := inputs[name+".weight"]
		if !ok {
			return nil, fmt.Errorf("%s: %q is not a linear layer of this model", calibrationFile, name)
		}
		if len(r) != in {
			return nil, fmt.Errorf("%s: %q has %d ranges: want %d", calibrationFile, name, len(r), in)
		}
		for i, v := range r {
			if v < 0 {
				return nil, fmt.Errorf("%s: %q: range %d is %g: want a value that is not negative", calibrationFile, name, i, v)
			}
		}
	}
	return &Calibration{Ranges: c.Ranges}, nil
}
