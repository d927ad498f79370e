package clip

import (
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/safetensors"
)

// codes is a matrix of 4-bit codes -8..7 that are loaded to where the int8
// weights will be: weight = multiplier of the row's group · code.
type codes struct {
	name        string
	w           []int8 // (rows, stride)
	stride, in  int
	group       int
	multipliers []int8 // (rows, groups)
}

// packed describes NAME.group and returns the slot of NAME.weight, two codes a
// byte. room makes room for rows of in weights and says how far apart they lie.
func (l *Loader) packed(name string, rows, in int, room func() (w []int8, stride int)) *slot {
	c := &codes{name: name, in: in, group: l.model.GroupSize}
	l.codes = append(l.codes, c)
	groups := (in + c.group - 1) / c.group
	l.slots[name+".group"] = &slot{shape: []int{rows, groups}, dtype: safetensors.I8, grows: 1, load: func() func(uint64, []byte) {
		c.multipliers = make([]int8, rows*groups)
		return int8Store(c.multipliers, groups, groups)
	}}
	pairs := (in + 1) / 2
	return &slot{shape: []int{rows, pairs}, dtype: safetensors.U8, grows: 2, load: func() func(uint64, []byte) {
		c.w, c.stride = room()
		return func(off uint64, p []byte) {
			for i, b := range p {
				at := int(off) + i
				row, col := at/pairs, at%pairs*2
				w := c.w[row*c.stride : row*c.stride+in]
				w[col] = int8(b<<4) >> 4
				if col+1 < in {
					w[col+1] = int8(b) >> 4
				}
			}
		}
	}}
}

// multiply turns the codes into weights.
func (c *codes) multiply() error {
	for i := 0; i*c.stride < len(c.w); i++ {
		for at := 0; at < c.in; at += c.group {
			m := int(c.multipliers[0])
			c.multipliers = c.multipliers[1:]
			w := c.w[i*c.stride+at : i*c.stride+min(at+c.group, c.in)]
			for j, q := range w {
				v := m * int(q)
				if v < -127 || v > 127 {
					return errs.New("weights: ", c.name, ": row ", i, " has code ", int(q), " with multiplier ", m, ": their product is outside -127..127")
				}
				w[j] = int8(v)
			}
		}
	}
	return nil
}
