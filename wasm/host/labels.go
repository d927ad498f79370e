package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// Labels is a label set, ready to be sent to an instance. It never changes and
// may be used by many goroutines.
type Labels struct {
	request []byte      // the encoded wire.LabelSet
	seeds   []wire.Seed // precomputed prompt embeddings, may be empty
	note    string
}

// NewLabels prepares a label set. The module checks it when it is first used.
func NewLabels(set wire.LabelSet) *Labels { return &Labels{request: set.Append(nil)} }

// Note says why precomputed embeddings that lie beside the label pack are not
// used; it is empty where they are, or where there are none.
func (l *Labels) Note() string { return l.note }

// Seeded reports whether precomputed embeddings are used.
func (l *Labels) Seeded() bool { return len(l.seeds) > 0 }

func (l *Labels) equal(m *Labels) bool {
	return bytes.Equal(l.request, m.request) && l.Seeded() == m.Seeded() &&
		(!l.Seeded() || &l.seeds[0] == &m.seeds[0])
}

// ReadLabels reads the label pack at path. Where NAME.embeddings.safetensors
// lies beside NAME.json and was made from this pack and from the Host's
// weights, the module need not encode the pack's category and rationale
// prompts.
func (h *Host) ReadLabels(path string) (*Labels, error) {
	pack, err := labelpack.Read(path)
	if err != nil {
		return nil, err
	}
	set := pack.LabelSet()
	l := NewLabels(set)
	beside := strings.TrimSuffix(path, ".json") + ".embeddings.safetensors"
	l.seeds, err = readSeeds(beside, &set, int(h.info.ProjectionDim), h.weightsSHA256, pack.SHA256)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.note = fmt.Sprintf("%s is not used: %v", filepath.Base(beside), err)
	}
	return l, nil
}

const embeddingsFormat = "ecor-label-embeddings-1"

// readSeeds reads the prompt embeddings of set, each dim long, at path.
func readSeeds(path string, set *wire.LabelSet, dim int, weightsSHA256, labelsSHA256 string) ([]wire.Seed, error) {
	categories, rationales := len(set.Categories), len(set.DistinctRationales())
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if limit := int64(4*dim*(categories+rationales) + 1<<16); info.Size() > limit {
		return nil, fmt.Errorf("it has %d bytes; at most %d are expected", info.Size(), limit)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	header, data, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	for _, want := range []struct{ key, value string }{
		{"format", embeddingsFormat}, {"weights_sha256", weightsSHA256}, {"labels_sha256", labelsSHA256},
	} {
		if got := header.Metadata[want.key]; got != want.value {
			return nil, fmt.Errorf("%s is %.80q, want %q", want.key, got, want.value)
		}
	}
	var seeds []wire.Seed
	for _, part := range []struct {
		name string
		kind wire.SeedKind
		rows int
	}{{"category", wire.SeedCategories, categories}, {"rationale", wire.SeedRationales, rationales}} {
		t, ok := header.Tensor(part.name)
		if !ok || t.DType != safetensors.F32 || len(t.Shape) != 2 || t.Shape[0] != part.rows || t.Shape[1] != dim {
			return nil, fmt.Errorf("it has no tensor %q of type F32 and shape [%d, %d]", part.name, part.rows, dim)
		}
		values, err := safetensors.AppendFloat32(nil, t.DType, data[part.name])
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, split(part.kind, values, dim)...)
	}
	return seeds, nil
}

// split cuts rows of dim values into seeds of at most chunk bytes, or one row.
func split(kind wire.SeedKind, values []float32, dim int) []wire.Seed {
	var out []wire.Seed
	rows := max(1, chunk/(4*dim))
	for first := 0; first*dim < len(values); first += rows {
		end := min((first+rows)*dim, len(values))
		out = append(out, wire.Seed{Kind: kind, First: uint32(first), Dim: uint32(dim), Data: values[first*dim : end]})
	}
	return out
}
