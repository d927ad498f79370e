package convert

import (
	"context"
	"fmt"
	"slices"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
	"github.com/ecor-clip/ecor/tools/quantize/internal/tower"
)

// encoder writes a checkpoint's tensors to a weights file, layer by layer. Where a tower has inputs to calibrate on, it
// runs over them, and each layer is made for what the layers before it, quantized already, give it.
type encoder struct {
	c      *checkpoint.Checkpoint
	o      *Options
	file   *weightsFile
	kinds  map[string]checkpoint.Tensor
	stored map[string]quant.Stored
	task   *report.Task

	smoothed, norms int // LayerNorms, of those that linear layers read
}

// writeWeights writes the weights file and returns it.
func writeWeights(ctx context.Context, c *checkpoint.Checkpoint, o *Options, in *inputs, out *output, progress *report.Progress, result *Result) (*outputFile, error) {
	f, err := out.create(o.Name + ".safetensors")
	if err != nil {
		return nil, err
	}
	task := progress.Start("hashing the checkpoint", c.Size())
	if result.Source, err = c.SHA256(ctx, task); err != nil {
		return nil, err
	}
	task.Done()

	tensors, tokenizer := c.Tensors(), tokenizerTensors(c.Tokenizer)
	var layout []safetensors.Tensor
	for _, t := range tensors {
		layout = append(layout, o.Layout(t)...)
	}
	for _, t := range tokenizer {
		layout = append(layout, safetensors.Tensor{Name: t.Name, DType: t.DType, Shape: t.Shape})
	}
	quant.Sort(layout)
	file, err := newWeightsFile(f, metadata(c, o, result.Source), layout)
	if err != nil {
		return nil, err
	}
	for _, t := range tokenizer {
		if err := file.put(t.Name, t.Data); err != nil {
			return nil, err
		}
	}
	e := &encoder{c: c, o: o, file: file, kinds: map[string]checkpoint.Tensor{}, stored: map[string]quant.Stored{}}
	e.task = progress.Start("encoding tensors as "+string(o.Scheme), int64(len(tensors)))
	for _, t := range tensors {
		e.kinds[t.Name] = t
	}
	if err := e.towers(ctx, in); err != nil {
		return nil, err
	}
	for _, t := range tensors {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, done := e.stored[t.Name]; !done {
			if err := e.tensor(t.Name); err != nil {
				return nil, err
			}
		}
		result.Tensors = append(result.Tensors, e.stored[t.Name])
	}
	e.task.Done()
	result.Smoothing, result.Calibration = e.smoothing(in), in.describe(o)
	task = progress.Start("checking "+f.name, int64(layout[len(layout)-1].End)+file.head)
	if err := file.finish(ctx, task, result); err != nil {
		return nil, err
	}
	task.Done()
	return f, nil
}

// towers encodes the linear layers and the LayerNorms that are folded into them.
func (e *encoder) towers(ctx context.Context, in *inputs) error {
	for _, model := range []string{tower.Vision, tower.Text} {
		t := &tower.Tower{Config: &e.c.Config, Load: e.load, Visit: e.step}
		var err error
		switch {
		case model == tower.Vision && len(in.planes) > 0:
			_, err = t.Images(ctx, in.planes)
		case model == tower.Text && len(in.texts) > 0:
			_, err = t.Texts(ctx, in.texts)
		default:
			for _, s := range tower.Steps(&e.c.Config, model) {
				if err := ctx.Err(); err != nil {
					return err
				}
				if _, err := e.step(s, nil, 0); err != nil {
					return err
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// load returns the values of a tensor of the checkpoint, which belong to the caller.
func (e *encoder) load(name string) ([]float32, error) { return loader(e.c)(name) }

func loader(c *checkpoint.Checkpoint) tower.Loader {
	return func(name string) ([]float32, error) {
		w, err := c.Load(name)
		if err != nil {
			return nil, err
		}
		return checkpoint.Values(w), nil
	}
}

// tensor encodes a tensor as it is.
func (e *encoder) tensor(name string) error {
	values, err := e.load(name)
	if err != nil {
		return err
	}
	_, err = e.put(name, values, nil)
	return err
}

// put encodes and writes the values of a tensor.
func (e *encoder) put(name string, values []float32, fit *quant.Factor) (*quant.Encoded, error) {
	t := e.kinds[name]
	x := e.o.Encode(t, values, fit)
	for i, part := range e.o.Layout(t) {
		if err := e.file.put(part.Name, x.Data[i]); err != nil {
			return nil, err
		}
	}
	e.stored[name] = x.Stored
	e.task.Add(1)
	return x, nil
}

// sampleRows is the number of inputs on which a layer's outputs are compared.
const sampleRows = 512

// step encodes the layers that read the same inputs, and returns them as the engine will compute them. Without inputs
// it returns nothing. It is a tower.Visitor.
func (e *encoder) step(s tower.Step, x []float32, rows int) ([]*tower.Linear, error) {
	weights := make([][]float32, len(s.Linears))
	for i, name := range s.Linears {
		var err error
		if weights[i], err = e.load(name + ".weight"); err != nil {
			return nil, err
		}
	}
	factors, err := e.fold(s, x, rows, weights)
	if err != nil {
		return nil, err
	}
	in := len(weights[0]) / e.rows(s.Linears[0])
	fit, err := e.fit(s, x, rows, in, factors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Linears[0], err)
	}
	var out []*tower.Linear
	for i, name := range s.Linears {
		bias, err := tower.LoadBias(e.load, name)
		if err != nil {
			return nil, err
		}
		encoded, err := e.put(name+".weight", weights[i], fit)
		if err != nil {
			return nil, err
		}
		exact := bias
		if x != nil && bias != nil {
			bias = corrected(bias, weights[i], encoded.Values, means(x, rows))
		}
		if bias != nil {
			if _, err := e.put(name+".bias", bias, nil); err != nil {
				return nil, err
			}
		}
		if x == nil {
			continue
		}
		n := e.rows(name)
		l := tower.NewLinear(encoded.Values, bias, n, e.o.Scheme.Activations())
		stored := e.stored[name+".weight"]
		stored.Output = outputSQNR(tower.NewLinear(weights[i], exact, n, false), l, x, rows)
		e.stored[name+".weight"] = stored
		out = append(out, l)
	}
	return out, nil
}

// rows returns the outputs of a linear layer.
func (e *encoder) rows(name string) int { return e.kinds[name+".weight"].Shape[0] }

// fold smooths the inputs of a step that a LayerNorm makes: it writes the LayerNorm, changes inputs and weights, and
// returns the factors; nil where nothing is smoothed.
func (e *encoder) fold(s tower.Step, x []float32, rows int, weights [][]float32) ([]float32, error) {
	if s.Norm == "" {
		return nil, nil
	}
	e.norms++
	ranges := e.ranges(s)
	if x != nil {
		ranges = columns(x, rows)
	}
	if ranges == nil || !e.o.Scheme.Activations() {
		return nil, nil
	}
	e.smoothed++
	factors := quant.Smooth(ranges, weights, e.o.Alpha)
	for _, w := range weights {
		quant.Multiply(w, factors)
	}
	quant.Divide(x, factors)
	for _, part := range []string{".weight", ".bias"} {
		values, err := e.load(s.Norm + part)
		if err != nil {
			return nil, err
		}
		quant.Divide(values, factors)
		if _, err := e.put(s.Norm+part, values, nil); err != nil {
			return nil, err
		}
	}
	return factors, nil
}

// ranges returns the stored range of each input of a step, nil where there is none.
func (e *encoder) ranges(s tower.Step) []float32 {
	if e.c.Calibration == nil {
		return nil
	}
	var out []float32
	for _, name := range s.Linears {
		r := e.c.Calibration.Ranges[name]
		if out == nil {
			out = slices.Clone(r)
		}
		for j, v := range r {
			out[j] = max(out[j], v)
		}
	}
	return out
}

// columns returns the largest magnitude in each column of x.
func columns(x []float32, rows int) []float32 {
	out := make([]float32, len(x)/rows)
	for i, v := range x {
		j := i % len(out)
		out[j] = max(out[j], v, -v)
	}
	return out
}

// fit says what is known of the inputs of a step's layers, where that matters.
func (e *encoder) fit(s tower.Step, x []float32, rows, in int, factors []float32) (*quant.Factor, error) {
	if e.o.Scheme != quant.W4A7 {
		return nil, nil
	}
	if x != nil {
		return quant.NewFactor(quant.NewGram(x, rows, in), tower.HasBias(s.Linears[0]), e.o.Group)
	}
	squares := e.ranges(s)
	for j, r := range squares {
		if factors != nil {
			r /= factors[j]
		}
		squares[j] = r * r
	}
	return quant.PlainFactor(squares, in, e.o.Group), nil
}

// means returns the mean of each column of x.
func means(x []float32, rows int) []float64 {
	out := make([]float64, len(x)/rows)
	for i, v := range x {
		out[i%len(out)] += float64(v)
	}
	for j := range out {
		out[j] /= float64(rows)
	}
	return out
}

// corrected returns the bias that makes the mean of the outputs right.
func corrected(bias, exact, approx []float32, mean []float64) []float32 {
	out := make([]float32, len(bias))
	for i, b := range bias {
		sum := float64(b)
		for j, m := range mean {
			at := i*len(mean) + j
			sum += float64(m * (float64(exact[at]) - float64(approx[at]))) // not fused anywhere
		}
		out[i] = float32(sum)
	}
	return out
}

// outputSQNR compares what two layers make of some of the inputs, by decibels.
func outputSQNR(exact, approx *tower.Linear, x []float32, rows int) float64 {
	n := min(rows, sampleRows)
	in, out := exact.In, exact.Out
	sample := make([]float32, 0, n*in)
	for i := range n {
		at := i * rows / n * in
		sample = append(sample, x[at:at+in]...)
	}
	a, b := make([]float32, n*out), make([]float32, n*out)
	exact.Apply(a, sample, n)
	approx.Apply(b, sample, n)
	return quant.SQNR(a, b)
}

// smoothing says in words what was done about outliers of activations.
func (e *encoder) smoothing(in *inputs) string {
	if !e.o.Scheme.Activations() {
		return fmt.Sprintf("not smoothed: the %s scheme does not quantize activations", e.o.Scheme)
	}
	if e.smoothed == 0 {
		return "not smoothed: the checkpoint has no calibration.json"
	}
	return fmt.Sprintf("smoothed with alpha %g: %d of %d LayerNorms have calibrated ranges", e.o.Alpha, e.smoothed, e.norms)
}
