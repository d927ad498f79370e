// Package host runs the ecor module under wazero: the same engine as in the
// browser, for servers, command lines and tests.
//
// Open loads a module and its weights. A Host classifies photos on several
// module instances in parallel, each in its own memory. The module can reach
// neither files nor the network: Open refuses one that imports more than the
// ten WASI functions that Go's runtime needs.
//
// Beside wasm/wire, which it shares with the module, the package uses
// core/safetensors to read precomputed label embeddings.
package host

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// DefaultMemoryLimit is how much memory an instance may use where Config does
// not say.
const DefaultMemoryLimit = 1 << 30

// garbage is how much the heap of an instance may grow, in percent of what is in
// use, before garbage is collected. A module's memory never shrinks, and weights
// and caches, which are most of it, hold no pointers that a collection follows.
const garbage = "50"

const wasmPage = 1 << 16

// Config says what a Host runs.
type Config struct {
	Module  Source // dist/ecor.wasm
	Weights Source // a file of format ecor-weights-1

	// Instances is the largest number of photos classified at the same time;
	// 0 means 1. Each holds its own copy of the weights. All but the first are
	// started when they are first needed.
	Instances int

	// CacheDir is a folder for compiled modules, made where it is missing. It
	// shortens the next Open. Empty means no cache. Nobody else may be able to
	// write there: its files are machine code.
	CacheDir string

	// MemoryLimit bounds the memory of each instance in bytes, up to 4 GiB;
	// 0 means DefaultMemoryLimit. An instance that needs more ends with ErrDead.
	MemoryLimit uint64
}

// Host classifies photos with one module and one set of weights. Its methods
// may be called by many goroutines; at most Config.Instances of them work at
// the same time and the rest wait.
type Host struct {
	weights       Source
	runtime       wazero.Runtime
	cache         wazero.CompilationCache // nil without Config.CacheDir
	compiled      wazero.CompiledModule
	info          wire.ModelInfo
	weightsSHA256 string

	slots  chan struct{} // holds one item per instance in use
	closed chan struct{}
	close  sync.Once

	mu   sync.Mutex
	idle []*instance
	size map[*instance]uint32 // memory in bytes after the last call
}

// Open compiles the module, starts the first instance and loads the weights.
func Open(ctx context.Context, c Config) (*Host, error) {
	if c.Module == nil || c.Weights == nil {
		return nil, errors.New("a host needs a module and weights")
	}
	limit := c.MemoryLimit
	if limit == 0 {
		limit = DefaultMemoryLimit
	}
	if limit < wasmPage || limit > 4<<30 {
		return nil, fmt.Errorf("a memory limit of %d bytes: want %d to %d", limit, wasmPage, uint64(4<<30))
	}
	h := &Host{
		weights: c.Weights,
		slots:   make(chan struct{}, max(1, c.Instances)),
		closed:  make(chan struct{}),
		size:    make(map[*instance]uint32),
	}
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(uint32(limit / wasmPage))
	if c.CacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(c.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("compilation cache: %w", err)
		}
		h.cache = cache
		config = config.WithCompilationCache(cache)
	}
	h.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := h.start(ctx, c.Module); err != nil {
		return nil, errors.Join(err, h.Close(ctx))
	}
	return h, nil
}

func (h *Host) start(ctx context.Context, module Source) error {
	code, err := readModule(module)
	if err != nil {
		return fmt.Errorf("reading the module: %w", err)
	}
	if h.compiled, err = h.runtime.CompileModule(ctx, code); err != nil {
		return fmt.Errorf("compiling the module: %w", err)
	}
	if err := checkImports(h.compiled); err != nil {
		return err
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, h.runtime); err != nil {
		return err
	}
	return h.with(ctx, func(in *instance) error {
		h.info, h.weightsSHA256 = in.info, in.weightsSHA256
		return nil
	})
}

// Info describes the weights.
func (h *Host) Info() wire.ModelInfo { return h.info }

// WeightsSHA256 returns the hash of the weights file, lower-case hex.
func (h *Host) WeightsSHA256() string { return h.weightsSHA256 }

// Classify returns the categories of img and the rationales behind them. The
// zero options are the default ones. img may be nil where o.Embedding holds
// the photo's embedding from an earlier answer. An *image.NRGBA is the fastest
// kind of image; alpha is dropped.
//
// When ctx is done, Classify returns its error after the step at hand. The
// module's refusals are of type *Error.
func (h *Host) Classify(ctx context.Context, img image.Image, l *Labels, o wire.ClassifyOptions) (*wire.Answer, error) {
	if l == nil {
		return nil, errors.New("no labels to classify into")
	}
	var answer wire.Answer
	err := h.with(ctx, func(in *instance) error {
		if _, err := in.setLabels(ctx, l); err != nil {
			return err
		}
		if len(o.Embedding) == 0 {
			if err := in.setImage(ctx, img); err != nil {
				return err
			}
		}
		if err := in.job(ctx, wire.OpClassifyBegin, &o); err != nil {
			return err
		}
		return in.send(ctx, wire.OpAnswer, nil, &answer)
	})
	if err != nil {
		return nil, err
	}
	return &answer, nil
}

// CheckLabels has the module check l, without a photo.
func (h *Host) CheckLabels(ctx context.Context, l *Labels) (info wire.LabelsInfo, err error) {
	err = h.with(ctx, func(in *instance) error {
		info, err = in.setLabels(ctx, l)
		return err
	})
	return info, err
}

// EmbedImage returns the unit-length embedding of img, Info().ProjectionDim long.
func (h *Host) EmbedImage(ctx context.Context, img image.Image) ([]float32, error) {
	return h.embed(ctx, func(in *instance) error {
		if err := in.setImage(ctx, img); err != nil {
			return err
		}
		return in.job(ctx, wire.OpEmbedBegin, &wire.EmbedBegin{})
	})
}

// EmbedText returns the unit-length embedding of a text, used as it is: no
// template is applied.
func (h *Host) EmbedText(ctx context.Context, text string) ([]float32, error) {
	if text == "" {
		return nil, errors.New("the text to embed is empty")
	}
	return h.embed(ctx, func(in *instance) error {
		return in.job(ctx, wire.OpEmbedBegin, &wire.EmbedBegin{Text: text})
	})
}

// EmbedTexts returns the unit-length embeddings of texts, used as they are, one
// after the other: len(texts) times Info().ProjectionDim values. At most 4096
// texts are taken. Those that begin alike and stand near each other are faster.
func (h *Host) EmbedTexts(ctx context.Context, texts []string) ([]float32, error) {
	return h.embed(ctx, func(in *instance) error {
		return in.job(ctx, wire.OpEmbedTexts, &wire.EmbedTexts{Texts: texts})
	})
}

func (h *Host) embed(ctx context.Context, job func(*instance) error) ([]float32, error) {
	var e wire.Embedding
	err := h.with(ctx, func(in *instance) error {
		if err := job(in); err != nil {
			return err
		}
		return in.send(ctx, wire.OpEmbedding, nil, &e)
	})
	return e.Values, err
}

// MemoryBytes returns the memory of all instances together, each as of its
// last finished call.
func (h *Host) MemoryBytes() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var n uint64
	for _, size := range h.size {
		n += uint64(size)
	}
	return n
}

// Close waits for the calls at work and frees everything. Later calls return
// ErrClosed.
func (h *Host) Close(ctx context.Context) error {
	var err error
	h.close.Do(func() {
		close(h.closed)
		for range cap(h.slots) {
			h.slots <- struct{}{}
		}
		err = h.runtime.Close(ctx)
		if h.cache != nil {
			err = errors.Join(err, h.cache.Close(ctx))
		}
	})
	return err
}

// with runs use on a free instance, or on a new one where all are in use and
// another is allowed. Instances that died are not used again.
func (h *Host) with(ctx context.Context, use func(*instance) error) error {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-h.closed:
		return ErrClosed
	}
	defer func() { <-h.slots }()
	select {
	case <-h.closed:
		return ErrClosed
	default:
	}
	in, err := h.take(ctx)
	if err != nil {
		return err
	}
	defer h.giveBack(ctx, in)
	if err := ctx.Err(); err != nil {
		return err
	}
	return use(in)
}

func (h *Host) take(ctx context.Context) (*instance, error) {
	h.mu.Lock()
	if n := len(h.idle); n > 0 {
		in := h.idle[n-1]
		h.idle = h.idle[:n-1]
		h.mu.Unlock()
		return in, nil
	}
	h.mu.Unlock()
	return h.newInstance(ctx)
}

func (h *Host) giveBack(ctx context.Context, in *instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.dead != nil {
		delete(h.size, in)
		in.module.Close(ctx)
		return
	}
	h.size[in] = in.memory.Size()
	h.idle = append(h.idle, in)
}

func (h *Host) newInstance(ctx context.Context) (*instance, error) {
	stderr := new(firstWords)
	module, err := h.runtime.InstantiateModule(ctx, h.compiled, wazero.NewModuleConfig().
		WithName("").WithEnv("GOGC", garbage).WithStartFunctions("_initialize").WithStderr(stderr).WithSysNanotime().WithSysNanosleep())
	if err != nil {
		return nil, fmt.Errorf("starting the module: %w: %s", err, stderr.reason())
	}
	in, err := bind(ctx, module, stderr)
	if err == nil {
		err = h.load(ctx, in)
	}
	if err != nil {
		return nil, errors.Join(err, module.Close(ctx))
	}
	return in, nil
}

func (h *Host) load(ctx context.Context, in *instance) error {
	r, size, err := h.weights.Open()
	if err != nil {
		return fmt.Errorf("opening the weights: %w", err)
	}
	defer r.Close()
	if err := in.load(ctx, r, size); err != nil {
		return fmt.Errorf("loading the weights: %w", err)
	}
	if h.weightsSHA256 != "" && h.weightsSHA256 != in.weightsSHA256 {
		return errors.New("loading the weights: they changed since the host was opened")
	}
	return nil
}
