package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/tetratelabs/wazero/api"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// chunk is how many bytes of weights or pixels one call carries. It bounds the
// module's staging buffer and the time between two looks at the context.
const chunk = 1 << 20

// An instance is one running module with its weights. One goroutine at a time
// may use it.
type instance struct {
	module  api.Module
	memory  api.Memory
	stderr  *firstWords
	request []byte // scratch of send

	ecorInput, ecorCall, ecorOutput, ecorOutputLen api.Function

	stack         [2]uint64 // of a call of one of these functions
	info          wire.ModelInfo
	weightsSHA256 string
	labels        *Labels // that the module holds; nil where unknown
	labelsInfo    wire.LabelsInfo
	dead          error // why the instance cannot be used any more
}

// bind looks up the module's exports and checks its ABI.
func bind(ctx context.Context, module api.Module, stderr *firstWords) (*instance, error) {
	in := &instance{module: module, memory: module.ExportedMemory("memory"), stderr: stderr}
	if in.memory == nil {
		return nil, errors.New("the module does not export memory")
	}
	var abi api.Function
	for name, f := range map[string]*api.Function{
		"ecor_abi": &abi, "ecor_input": &in.ecorInput, "ecor_call": &in.ecorCall,
		"ecor_output": &in.ecorOutput, "ecor_output_len": &in.ecorOutputLen,
	} {
		if *f = module.ExportedFunction(name); *f == nil {
			return nil, fmt.Errorf("the module does not export %s", name)
		}
	}
	got, err := in.invoke(ctx, abi, 0, 0)
	if err != nil {
		return nil, err
	}
	if got != wire.ABI {
		return nil, fmt.Errorf("the module has ABI %d; this host needs %d", got, wire.ABI)
	}
	return in, nil
}

// invoke calls f with as many of a and b as it takes.
func (in *instance) invoke(ctx context.Context, f api.Function, a, b uint32) (uint32, error) {
	if in.dead != nil {
		return 0, in.dead
	}
	in.stack = [2]uint64{uint64(a), uint64(b)}
	if err := f.CallWithStack(ctx, in.stack[:]); err != nil {
		reason := in.stderr.reason()
		if reason == "" {
			reason = err.Error()
		}
		in.dead = fmt.Errorf("%w with %d MiB of memory: %s", ErrDead, in.memory.Size()>>20, reason)
		return 0, in.dead
	}
	return uint32(in.stack[0]), nil
}

// input returns n bytes of module memory for the next call's request. They are
// valid until that call.
func (in *instance) input(ctx context.Context, n int) ([]byte, error) {
	if n > wire.MaxRequest {
		return nil, fmt.Errorf("a request of %d bytes; the limit is %d", n, wire.MaxRequest)
	}
	at, err := in.invoke(ctx, in.ecorInput, uint32(n), 0)
	if err != nil {
		return nil, err
	}
	b, ok := in.memory.Read(at, uint32(n))
	if !ok || at == 0 {
		return nil, fmt.Errorf("the module has no input buffer of %d bytes", n)
	}
	return b, nil
}

// call runs op on the first n bytes of the input buffer. The response lies in
// module memory and is valid until the next call.
func (in *instance) call(ctx context.Context, op wire.Op, n int) ([]byte, error) {
	status, err := in.invoke(ctx, in.ecorCall, uint32(op), uint32(n))
	if err != nil {
		return nil, err
	}
	at, err := in.invoke(ctx, in.ecorOutput, 0, 0)
	if err != nil {
		return nil, err
	}
	size, err := in.invoke(ctx, in.ecorOutputLen, 0, 0)
	if err != nil {
		return nil, err
	}
	response, ok := in.memory.Read(at, size)
	if !ok {
		return nil, fmt.Errorf("the module's response, %d bytes at %d, lies outside its memory", size, at)
	}
	if wire.Status(status) == wire.StatusOK {
		return response, nil
	}
	refusal := &Error{Status: wire.Status(status), Message: string(response)}
	if refusal.Status == wire.StatusInternal {
		in.dead = refusal // the module has dropped its weights
	}
	return nil, refusal
}

// send runs op with request and decodes the response; either may be nil.
func (in *instance) send(ctx context.Context, op wire.Op, request, response wire.Message) error {
	in.request = in.request[:0]
	if request != nil {
		in.request = request.Append(in.request)
	}
	return in.sendBytes(ctx, op, in.request, response)
}

func (in *instance) sendBytes(ctx context.Context, op wire.Op, request []byte, response wire.Message) error {
	if len(request) > 0 {
		b, err := in.input(ctx, len(request))
		if err != nil {
			return err
		}
		copy(b, request)
	}
	b, err := in.call(ctx, op, len(request))
	if err != nil || response == nil {
		return err
	}
	return response.Decode(b)
}

// load streams size bytes of weights from r straight into module memory.
func (in *instance) load(ctx context.Context, r io.Reader, size int64) error {
	if err := in.send(ctx, wire.OpWeightsBegin, &wire.WeightsBegin{Size: uint64(size)}, nil); err != nil {
		return err
	}
	hash := sha256.New()
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(min(left, chunk))
		b, err := in.input(ctx, n)
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("reading byte %d of %d: %w", size-left, size, err)
		}
		hash.Write(b)
		if _, err := in.call(ctx, wire.OpWeightsChunk, n); err != nil {
			return err
		}
		left -= int64(n)
	}
	in.weightsSHA256 = hex.EncodeToString(hash.Sum(nil))
	return in.send(ctx, wire.OpWeightsEnd, nil, &in.info)
}

// setLabels makes l the module's label set where it is another one.
func (in *instance) setLabels(ctx context.Context, l *Labels) (wire.LabelsInfo, error) {
	if in.labels != nil && in.labels.equal(l) {
		return in.labelsInfo, nil
	}
	in.labels = nil
	if err := in.sendBytes(ctx, wire.OpSetLabels, l.request, &in.labelsInfo); err != nil {
		return wire.LabelsInfo{}, err
	}
	for _, seed := range l.seeds {
		if err := ctx.Err(); err != nil {
			return wire.LabelsInfo{}, err
		}
		if err := in.send(ctx, wire.OpSeed, &seed, nil); err != nil {
			return wire.LabelsInfo{}, err
		}
	}
	in.labels = l
	return in.labelsInfo, nil
}

// setImage sends img in bands of rows.
func (in *instance) setImage(ctx context.Context, img image.Image) error {
	if img == nil {
		return errors.New("no photo")
	}
	size := img.Bounds().Size()
	if size.X <= 0 || size.Y <= 0 {
		return fmt.Errorf("the photo has %d×%d pixels", size.X, size.Y)
	}
	if int64(size.X) > wire.MaxRequest/4 || int64(size.Y) > 1<<31-1 {
		return fmt.Errorf("the photo has %d×%d pixels; a row has at most %d", size.X, size.Y, wire.MaxRequest/4)
	}
	begin := wire.ImageBegin{Width: uint32(size.X), Height: uint32(size.Y)}
	if err := in.send(ctx, wire.OpImageBegin, &begin, nil); err != nil {
		return err
	}
	rows := max(1, chunk/(4*size.X))
	for y := 0; y < size.Y; y += rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(rows, size.Y-y)
		b, err := in.input(ctx, 4*size.X*n)
		if err != nil {
			return err
		}
		copyRows(b, img, y)
		if _, err := in.call(ctx, wire.OpImageRows, len(b)); err != nil {
			return err
		}
	}
	return nil
}

// job starts the job of op and runs its steps until it is done or ctx is. It
// leaves the module without a job.
func (in *instance) job(ctx context.Context, op wire.Op, request wire.Message) error {
	if err := in.send(ctx, op, request, nil); err != nil {
		return err
	}
	progress := progressOf(ctx)
	var p wire.Progress
	for {
		err := ctx.Err()
		if err == nil {
			err = in.send(ctx, wire.OpStep, nil, &p)
		}
		if err != nil {
			if in.dead == nil {
				err = errors.Join(err, in.send(ctx, wire.OpCancel, nil, nil))
			}
			return err
		}
		progress(p)
		if p.Phase == wire.PhaseDone {
			return nil
		}
	}
}
