package main

import "fmt"

// constantNames are the vectors of package kernel's vectorConstants, in order.
var constantNames = []string{
	"expMin", "expMax", "log2e", "round", "ln2Hi", "ln2Lo", "one",
	"e0", "e1", "e2", "e3", "e4",
	"quickSlope", "minusHalf", "zero", "geluP", "g0", "g1", "g2", "g3", "g4", "g5",
	"lowByte", "byteTranspose", "weight",
}

// exp sets y to Exp(y), using the names under, t, n and r.
func (f *vectorFunc) exp(y string) {
	f.let("under", y+" expMin <")
	f.let(y, y+" expMax pmin")
	f.let("t", y+" log2e * round +")
	f.let("n", "t round -")
	f.let("r", y+" n ln2Hi * - n ln2Lo * -")
	f.let(y, "e4 r * e3 + r * e2 + r * e1 + r * e0 + r r * * r + one +")
	f.let(y, y+" t 23<< one i+ * under andnot")
}

func activations(a *assembler) {
	f := a.vectorFunction("expVectors", []string{"x", "n", "c", "sum"}, "a", "b")
	f.table(constantNames)
	f.keep("log2e", "round", "ln2Hi", "ln2Lo", "one", "e2", "e3", "e4")
	f.let("total", "zero")
	f.each("x", func() {
		f.let("y", "x[0] a * b -")
		f.exp("y")
		f.let("total", "total y +")
		f.store("x", 0, "y")
	})
	f.store("sum", 0, "total")
	f.end()

	f = a.vectorFunction("quickGELUVectors", []string{"x", "n", "c"})
	f.table(constantNames)
	f.keep("quickSlope", "log2e", "round", "ln2Hi", "ln2Lo", "one", "e0", "e1", "e2", "e3", "e4")
	f.each("x", func() {
		f.let("y", "x[0] quickSlope *")
		f.exp("y")
		f.store("x", 0, "x[0] one y + /")
	})
	f.end()

	f = a.vectorFunction("geluVectors", []string{"x", "n", "c"})
	f.table(constantNames)
	f.keep("log2e", "round", "ln2Hi", "ln2Lo", "one", "e2", "e3", "e4", "geluP")
	f.each("x", func() {
		f.let("y", "x[0] x[0] * minusHalf *")
		f.exp("y")
		f.let("r", "x[0] abs")
		f.let("t", "one one geluP r * + /")
		f.let("n", "g5 t * g4 + t * g3 + t * g2 + t * g1 + t * g0 + t *")
		f.store("x", 0, "zero x[0] pmax r y n * * -")
	})
	f.end()
}

func rows(a *assembler) {
	f := a.vectorFunction("maxVectors", []string{"x", "n", "top"}, "scale")
	f.let("greatest", "x[0] scale *")
	f.each("x", func() { f.let("greatest", "greatest x[0] scale * pmax") })
	f.store("top", 0, "greatest")
	f.end()

	f = a.vectorFunction("sumVectors", []string{"x", "n", "sum"})
	f.let("total", "sum[0]")
	f.each("x", func() { f.let("total", "total x[0] +") })
	f.store("sum", 0, "total")
	f.end()

	f = a.vectorFunction("squareVectors", []string{"x", "n", "sum"}, "mean")
	f.let("total", "sum[0]")
	f.each("x", func() {
		f.let("d", "x[0] mean -")
		f.let("total", "total d d * +")
	})
	f.store("sum", 0, "total")
	f.end()

	f = a.vectorFunction("normVectors", []string{"y", "x", "gamma", "beta", "n"}, "mean", "inv")
	f.each("y x gamma beta", func() { f.store("y", 0, "x[0] mean - inv * gamma[0] * beta[0] +") })
	f.end()
}

func vectors(a *assembler) {
	f := a.vectorFunction("addVectors", []string{"y", "x", "n"})
	f.each("y x", func() { f.store("y", 0, "y[0] x[0] +") })
	f.end()

	f = a.vectorFunction("axpyVectors", []string{"y", "x", "n"}, "a")
	f.each("y x", func() { f.store("y", 0, "y[0] a x[0] * +") })
	f.end()

	f = a.vectorFunction("scaleVectors", []string{"x", "n"}, "a")
	f.each("x", func() { f.store("x", 0, "x[0] a *") })
	f.end()

	f = a.vectorFunction("dotVectors", []string{"a", "b", "n", "sum"})
	f.let("total", "sum[0]")
	f.each("a b", func() { f.let("total", "total a[0] b[0] * +") })
	f.store("sum", 0, "total")
	f.end()
}

func quantization(a *assembler) {
	f := a.vectorFunction("boundVectors", []string{"x", "n", "c", "lohi"})
	f.table(constantNames)
	f.keep("zero")
	f.let("lo", "x[0]")
	f.let("hi", "x[0]")
	f.let("poison", "zero")
	f.each("x", func() {
		f.let("v", "x[0]")
		f.let("lo", "lo v pmin")
		f.let("hi", "hi v pmax")
		f.let("poison", "poison v zero * +")
	})
	f.store("lohi", 0, "lo")
	f.store("lohi", 1, "hi")
	f.store("lohi", 2, "poison")
	f.end()

	f = a.vectorFunction("quantizeVectors", []string{"q", "x", "n", "c"}, "offset", "inv")
	f.table(constantNames)
	f.keep("round", "lowByte", "byteTranspose")
	f.each("q", func() {
		const number = " offset - inv * round + lowByte and"
		f.let("low", "x[0]"+number+" x[1]"+number+" 8<< or")
		f.let("high", "x[2]"+number+" x[3]"+number+" 8<< or")
		f.store("q", 0, "low high 16<< or byteTranspose lookup")
		f.advance("x", 4*16)
	})
	f.end()

	for _, variant := range []struct{ name, pointers, tail string }{
		{"dequantizeVectors", "", ""},
		{"dequantizeAddVectors", "", " y[0] +"},
		{"dequantizeBiasVectors", " bias", " bias[0] +"},
		{"dequantizeBiasAddVectors", " bias", " bias[0] + y[0] +"},
	} {
		f = a.vectorFunction(variant.name, []string{"y", "acc", "colScale", "colSum", "bias", "n"}, "rowScale", "rowMin")
		f.each("y acc colScale colSum"+variant.pointers, func() {
			f.store("y", 0, "rowScale acc[0] float * rowMin colSum[0] * + colScale[0] *"+variant.tail)
		})
		f.end()
	}

	f = a.vectorFunction("widenVectors", []string{"dst", "src", "n", "step"})
	f.each("src", func() {
		f.let("bytes", "src[0]")
		for _, half := range []string{"low8", "high8"} {
			f.store("dst", 0, "bytes "+half)
			f.a.set(f.pointers["dst"], f.pointers["dst"], "I64Add", f.pointers["step"])
		}
	})
	f.end()
}

// attention writes what is between its integer products.
func attention(a *assembler) {
	f := a.vectorFunction("quantizeKeyVectors", []string{"dst", "x", "n", "c", "sum"}, "inv")
	f.table(constantNames)
	f.keep("round", "byteTranspose")
	f.let("total", "zero")
	f.each("x", func() {
		f.let("t", "x[0] inv * round +")
		f.let("total", "total t round - +")
		f.storeLane("dst", "t byteTranspose lookup")
		f.advance("dst", 4*8)
	})
	f.store("sum", 0, "total")
	f.end()

	f = a.vectorFunction("maxSizeVectors", []string{"top", "x", "n"})
	f.each("top x", func() { f.store("top", 0, "top[0] x[0] abs max") })
	f.end()

	f = a.vectorFunction("quantizeValueVectors", []string{"dst", "x", "step", "n", "c", "inv"})
	f.table(constantNames)
	f.keep("round", "lowByte")
	f.let("scale", "inv[0]")
	f.each("", func() {
		for i, shift := range []string{"lowByte and", "lowByte and 8<< or", "lowByte and 16<< or", "24<< or"} {
			before := ""
			if i > 0 {
				before = "word "
			}
			f.let("word", before+"x[0] scale * round + "+shift)
			f.a.set(f.pointers["x"], f.pointers["x"], "I64Add", f.pointers["step"])
		}
		f.store("dst", 0, "word")
		f.advance("dst", 4*8)
	})
	f.end()

	f = a.vectorFunction("weightVectors", []string{"q", "x", "n", "c", "sum"}, "a", "b")
	f.table(constantNames)
	f.keep("round", "log2e", "ln2Hi", "ln2Lo", "one", "e3", "e4")
	f.let("total", "zero")
	f.each("q", func() {
		for i, shift := range []string{"", "8<< ", "16<< ", "24<< "} {
			f.let("y", fmt.Sprintf("x[%d] a * b -", i))
			f.exp("y")
			f.let("y", "y weight * round +")
			f.let("total", "total y round - +")
			f.let("y", "y lowByte and "+shift)
			if i == 0 {
				f.let("word", "y")
			} else {
				f.let("word", "word y or")
			}
		}
		f.store("q", 0, "word byteTranspose lookup")
		f.advance("x", 4*16)
	})
	f.store("sum", 0, "total")
	f.end()
}
