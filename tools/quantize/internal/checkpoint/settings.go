package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// settings are the fields of a JSON object, each to be read once. The first error stays.
type settings struct {
	name   string // of the object, for errors
	values map[string]json.RawMessage
	err    error
}

func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(s.name+"."+format, args...)
	}
}

// take reads a field into v and reports whether it is there. Null is as good as absent.
func (s *settings) take(key string, v any) bool {
	b := s.values[key]
	delete(s.values, key)
	if !present(b) {
		return false
	}
	if json.Unmarshal(b, v) != nil {
		s.fail("%s is %s: want %s", key, b, kindOf(v))
		return false
	}
	return true
}

func kindOf(v any) string {
	switch v.(type) {
	case *int:
		return "a whole number"
	case *float64:
		return "a number"
	case *bool:
		return "true or false"
	case *string:
		return "a string"
	case *map[string]json.RawMessage:
		return "an object"
	}
	return "a list of numbers"
}

func (s *settings) number(key string, or int) int {
	s.take(key, &or)
	return or
}

func (s *settings) flag(key string) (v bool) {
	s.take(key, &v)
	return v
}

func (s *settings) object(key string) *settings {
	o := &settings{name: key, values: map[string]json.RawMessage{}}
	s.take(key, &o.values)
	return o
}

// side reads one number, or two that are equal.
func (s *settings) side(key string, or int) int {
	var pair []int
	if b := s.values[key]; len(b) == 0 || b[0] != '[' {
		return s.number(key, or)
	}
	if !s.take(key, &pair) {
		return or
	}
	if len(pair) != 2 || pair[0] != pair[1] {
		s.fail("%s is %v: want a square", key, pair)
		return or
	}
	return pair[0]
}

func (s *settings) triple(key string, v *[3]float64) {
	var list []float64
	if !s.take(key, &list) {
		return
	}
	if len(list) != 3 {
		s.fail("%s has %d values: want 3", key, len(list))
		return
	}
	*v = [3]float64(list)
}

// tower reads what both towers have.
func (s *settings) tower(width int) Tower {
	t := Tower{HiddenSize: s.number("width", width), Layers: s.number("layers", 12), LayerNormEps: 1e-5}
	ratio := 4.0
	s.take("mlp_ratio", &ratio)
	if ratio > 0 && ratio < maxSize {
		t.IntermediateSize = int(float64(t.HiddenSize) * ratio)
	}
	norm := s.object("norm_kwargs")
	norm.take("eps", &t.LayerNormEps)
	if err := norm.rest(); err != nil {
		s.fail("%w", err)
	}
	return t
}

// only reads a field that must have one of the values.
func (s *settings) only(key string, values ...string) {
	v := values[0]
	s.take(key, &v)
	if !slices.Contains(values, v) {
		s.fail("%s is %q: want %q", key, v, values[0])
	}
}

// anything reads fields whose values do not matter.
func (s *settings) anything(keys ...string) {
	for _, key := range keys {
		delete(s.values, key)
	}
}

// rest returns the first error, or else reports a field that was not read, unless it is turned off.
func (s *settings) rest() error {
	if s.err != nil {
		return s.err
	}
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		v := string(s.values[key])
		if !slices.Contains([]string{"null", "false", "0", "0.0", `""`, "{}"}, strings.TrimSpace(v)) {
			return errors.New(s.name + "." + key + " is " + v + ": not supported")
		}
	}
	return nil
}
