package main

import (
	"fmt"
	"strings"
)

// vectorFunc builds a function that works on whole vectors of four float32, from
// expressions in postfix notation:
//
//	f.let("r", "x n ln2Hi * -") // r = x - n·ln2Hi
//
// A word is an operation, a scalar parameter, a name that let made, a constant, or
// a vector in memory as in "x[0]". Scalars and names live in vector registers;
// constants are read from the table where they are used, unless keep was called.
type vectorFunc struct {
	a         *assembler
	registers map[string]string
	pointers  map[string]string
	constants map[string]int // byte offset from the pointer "c"
	used      int
}

// operations are the words of expressions that are not names.
var operations = map[string][]string{
	"+": {"F32x4Add"}, "-": {"F32x4Sub"}, "*": {"F32x4Mul"}, "/": {"F32x4Div"},
	"max": {"F32x4Max"}, "pmin": {"F32x4Pmin"}, "pmax": {"F32x4Pmax"}, "abs": {"F32x4Abs"}, "<": {"F32x4Lt"},
	"andnot": {"V128Andnot"}, "and": {"V128And"}, "or": {"V128Or"}, "lookup": {"I8x16Swizzle"},
	"float": {"F32x4ConvertI32x4S"}, "i+": {"I32x4Add"},
	"8<<": {"I32Const $8", "I32x4Shl"}, "16<<": {"I32Const $16", "I32x4Shl"}, "23<<": {"I32Const $23", "I32x4Shl"}, "24<<": {"I32Const $24", "I32x4Shl"},
	"low8": {"I16x8ExtendLowI8x16S"}, "high8": {"I16x8ExtendHighI8x16S"},
}

// vectorFunction starts the function name with pointers and counts, which are
// words, and then float32 scalars.
func (a *assembler) vectorFunction(name string, words []string, scalars ...string) *vectorFunc {
	f := &vectorFunc{a: a, registers: map[string]string{}, pointers: map[string]string{}, constants: map[string]int{}}
	a.line("")
	a.line("TEXT ·%s(SB), NOSPLIT, $0-%d", name, 8*len(words)+4*len(scalars))
	for i, w := range words {
		f.pointers[w] = fmt.Sprintf("R%d", i)
		a.op("Get SP", fmt.Sprintf("I64Load %s+%d(FP)", w, 8*i), "Set "+f.pointers[w])
	}
	for i, s := range scalars {
		a.op("Get SP", fmt.Sprintf("F32Load %s+%d(FP)", s, 8*len(words)+4*i), "F32x4Splat", "Set "+f.register(s))
	}
	return f
}

func (f *vectorFunc) register(name string) string {
	if _, ok := f.registers[name]; !ok {
		if f.used == 16 {
			panic("gen: no register left for " + name)
		}
		f.registers[name] = v(f.used)
		f.used++
	}
	return f.registers[name]
}

// table names the vectors behind the pointer "c".
func (f *vectorFunc) table(names []string) {
	for i, n := range names {
		f.constants[n] = 16 * i
	}
}

// keep holds constants in registers.
func (f *vectorFunc) keep(names ...string) {
	for _, n := range names {
		f.push(n)
		f.a.op("Set " + f.register(n))
	}
}

// push leaves the value of a name on the stack. "x[1]" is the second vector at
// pointer x.
func (f *vectorFunc) push(name string) {
	base, index, isLoad := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	switch {
	case f.registers[name] != "":
		f.a.op("Get " + f.registers[name])
	case isLoad:
		var i int
		if _, err := fmt.Sscan(index, &i); err != nil {
			panic("gen: bad index in " + name)
		}
		f.a.op("Get "+f.pointers[base], "I32WrapI64", fmt.Sprintf("V128Load $%d", 16*i))
	default:
		offset, ok := f.constants[name]
		if !ok {
			panic("gen: unknown name " + name)
		}
		f.a.op("Get "+f.pointers["c"], "I32WrapI64", fmt.Sprintf("V128Load $%d", offset))
	}
}

// eval leaves the value of an expression on the stack.
func (f *vectorFunc) eval(expression string) {
	for _, word := range strings.Fields(expression) {
		if ops, ok := operations[word]; ok {
			f.a.op(ops...)
		} else {
			f.push(word)
		}
	}
}

// let sets a name to the value of an expression.
func (f *vectorFunc) let(name, expression string) {
	f.eval(expression)
	f.a.op("Set " + f.register(name))
}

// store writes the value of an expression to "x[i]".
func (f *vectorFunc) store(pointer string, index int, expression string) {
	f.a.store(f.pointers[pointer], 16*index, func() { f.eval(expression) })
}

// storeLane writes the first lane of an expression to "x[0]".
func (f *vectorFunc) storeLane(pointer, expression string) {
	f.a.op("Get "+f.pointers[pointer], "I32WrapI64")
	f.eval(expression)
	f.a.op(immediate("I32x4ExtractLane", 0), "I32Store $0")
}

// advance moves a pointer on.
func (f *vectorFunc) advance(pointer string, bytes int) {
	f.a.set(f.pointers[pointer], f.pointers[pointer], "I64Add", fmt.Sprintf("$%d", bytes))
}

// each runs body n times, n being a positive word, and moves the pointers on by
// one vector after each turn.
func (f *vectorFunc) each(pointers string, body func()) {
	f.a.loop("each", func() {
		body()
		for _, p := range strings.Fields(pointers) {
			f.advance(p, 16)
		}
		f.a.countDown(f.pointers["n"])
	})
}

func (f *vectorFunc) end() { f.a.op("RET") }
