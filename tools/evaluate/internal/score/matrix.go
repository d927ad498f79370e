package score

import "github.com/ecor-clip/ecor/core/kernel"

// blockRows is how many rows of a Matrix a product takes at a time: a block of
// 256-value rows stays in the second-level cache.
const blockRows = 512

// Matrix holds embeddings for products with many photos.
type Matrix struct {
	rows, dim int
	blocks    [][]float32 // (dim, at most blockRows) each
}

// NewMatrix takes embeddings (rows, dim) over: their memory is used.
func NewMatrix(embeddings []float32, dim int) *Matrix {
	m := &Matrix{rows: len(embeddings) / dim, dim: dim}
	scratch := make([]float32, blockRows*dim)
	for len(embeddings) > 0 {
		n := min(blockRows, len(embeddings)/dim)
		block := embeddings[:n*dim]
		copy(scratch, block)
		kernel.Transpose(block, n, scratch, dim, n, dim)
		m.blocks = append(m.blocks, block)
		embeddings = embeddings[n*dim:]
	}
	return m
}

// Rows returns the number of embeddings.
func (m *Matrix) Rows() int { return m.rows }

// Logits writes scale·cosine of n photos (n, dim) with every row to dst
// (n, rows).
func (m *Matrix) Logits(dst, photos []float32, n int, scale float32) {
	for i, block := range m.blocks {
		columns := len(block) / m.dim
		kernel.Gemm(dst[i*blockRows:], m.rows, photos, m.dim, block, columns, n, columns, m.dim)
	}
	kernel.Scale(dst[:n*m.rows], scale)
}
