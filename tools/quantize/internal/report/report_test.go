package report

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Table(&b, []quant.Stored{
		{Name: "logit_scale", Scheme: "float32", Bytes: 4, SQNR: math.Inf(1)},
		{Name: "a.weight", Shape: []int{24, 32}, Scheme: "int8 per row", Bytes: 864, SQNR: 45.44},
	}))
	assert.Equal(t, ""+
		"tensor       shape   scheme        bytes  SQNR dB\n"+
		"logit_scale  scalar  float32       4      exact\n"+
		"a.weight     24×32   int8 per row  864    45.4\n", b.String())
}

func TestBytes(t *testing.T) {
	assert.Equal(t, "0.0 kB", Bytes(4))
	assert.Equal(t, "999.9 kB", Bytes(999_900))
	assert.Equal(t, "12.35 MB", Bytes(12_345_678))
}

// Where nobody watches, progress is a line now and then and one at the end.
func TestPlainProgress(t *testing.T) {
	var b bytes.Buffer
	task := NewProgress(&b).Start("hashing", 200)
	task.Write(make([]byte, 50))
	assert.Empty(t, b.String())
	task.shown = task.shown.Add(-lineInterval)
	task.Add(50)
	task.Add(100)
	assert.Equal(t, "hashing: 50 %\n", b.String())
	task.begun = time.Now().Add(-2 * time.Second)
	task.Done()
	assert.Equal(t, "hashing: 50 %\nhashing: done in 2.0 s\n", b.String())
}
