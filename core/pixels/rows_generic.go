package pixels

// resampleGeneric filters one row of source pixels, 4 bytes each, into the a.count
// pixels of dst. The fourth byte of every pixel of dst becomes zero.
func resampleGeneric(dst, src []byte, a *axis) {
	for o := range a.count {
		w := a.weights(o)
		p := src[4*a.start[o]:][:4*len(w)]
		r, g, b := int32(half), int32(half), int32(half)
		for _, w := range w {
			r += w * int32(p[0])
			g += w * int32(p[1])
			b += w * int32(p[2])
			p = p[4:]
		}
		q := dst[4*o:][:4]
		q[0], q[1], q[2], q[3] = clip8(r), clip8(g), clip8(b), 0
	}
}

// accumulateGeneric adds weight · row to sums, which is as long.
func accumulateGeneric(sums []int32, row []byte, weight int32) {
	sums = sums[:len(row)]
	for i, v := range row {
		sums[i] += weight * int32(v)
	}
}

// clip rounds complete sums to bytes.
func clip(dst []byte, sums []int32) {
	dst = dst[:len(sums)]
	for i, s := range sums {
		dst[i] = clip8(s)
	}
}

// clip8 drops the fraction of a sum that began at half and limits it to 0..255.
func clip8(sum int32) byte { return byte(min(max(sum>>precision, 0), 255)) }
