//go:build goexperiment.simd

#include "go_asm.h"
#include "textflag.h"

// The tiles of both products. AX points to the first of the left operand's rows,
// which are BX bytes apart; CX, DX and SI are 3·BX, 5·BX and 7·BX. DI points to the
// panel. R8 points to the results, whose rows are R9 bytes apart. R10 counts.

#define ROW0(o) o(AX)
#define ROW1(o) o(AX)(BX*1)
#define ROW2(o) o(AX)(BX*2)
#define ROW3(o) o(AX)(CX*1)
#define ROW4(o) o(AX)(BX*4)
#define ROW5(o) o(AX)(DX*1)
#define ROW6(o) o(AX)(CX*2)
#define ROW7(o) o(AX)(SI*1)

#define ROWS \
	LEAQ (BX)(BX*2), CX \
	LEAQ (BX)(BX*4), DX \
	LEAQ (BX)(CX*2), SI

// The arguments of an integer tile.
#define DOTARGS \
	MOVQ acc+0(FP), R8    \
	MOVQ stride+8(FP), R9 \
	MOVQ a+16(FP), AX     \
	MOVQ lda+24(FP), BX   \
	MOVQ w+32(FP), DI     \
	MOVQ k+40(FP), R10

// The fields of the linearScales at DI.
#define SCALES \
	MOVQ linearScales_rowScale(DI), R11 \
	MOVQ linearScales_rowMin(DI), R12   \
	MOVQ linearScales_colScale(DI), AX  \
	MOVQ linearScales_colSum(DI), BX    \
	MOVQ linearScales_bias(DI), CX      \
	MOVQ linearScales_add(DI), SI

// The arguments of a float tile.
#define FLOATARGS \
	MOVQ y+0(FP), R8      \
	MOVQ ldy+8(FP), R9    \
	MOVQ x+16(FP), AX     \
	MOVQ ldx+24(FP), BX   \
	MOVQ b+32(FP), DI     \
	MOVQ k+40(FP), R10    \
	MOVQ begun+48(FP), R12 \
	MOVQ R8, R11          \
	ROWS

// A row of results: two vectors, to zero, load or store.

#define ZERO512(c0, c1) \
	VPXORD c0, c0, c0 \
	VPXORD c1, c1, c1

#define LOAD512(c0, c1) \
	VMOVUPS (R11), c0   \
	VMOVUPS 64(R11), c1 \
	ADDQ    R9, R11

#define STORE512(c0, c1) \
	VMOVUPS c0, (R8)   \
	VMOVUPS c1, 64(R8) \
	ADDQ    R9, R8

#define EACH512(op) \
	op(Z0, Z1) \
	op(Z2, Z3) \
	op(Z4, Z5) \
	op(Z6, Z7) \
	op(Z8, Z9) \
	op(Z10, Z11) \
	op(Z12, Z13) \
	op(Z14, Z15)

// colScale is in Z20 and Z21, colSum in Z22 and Z23, bias in Z24 and Z25.
#define SCALE512(c0, c1) \
	VBROADCASTSS (R11), Z18    \
	VCVTDQ2PS    c0, c0        \
	VMULPS       Z18, c0, c0   \
	VCVTDQ2PS    c1, c1        \
	VMULPS       Z18, c1, c1   \
	VBROADCASTSS (R12), Z19    \
	VMULPS       Z22, Z19, Z18 \
	VADDPS       Z18, c0, c0   \
	VMULPS       Z23, Z19, Z18 \
	VADDPS       Z18, c1, c1   \
	VMULPS       Z20, c0, c0   \
	VMULPS       Z21, c1, c1   \
	VADDPS       Z24, c0, c0   \
	VADDPS       Z25, c1, c1   \
	ADDQ         $4, R11       \
	ADDQ         $4, R12

#define ADDY512(c0, c1) \
	VADDPS (R11), c0, c0   \
	VADDPS 64(R11), c1, c1 \
	ADDQ   R9, R11

#define ZERO256(c0, c1) \
	VPXOR c0, c0, c0 \
	VPXOR c1, c1, c1

#define LOAD256(c0, c1) \
	VMOVUPS (R11), c0   \
	VMOVUPS 32(R11), c1 \
	ADDQ    R9, R11

#define STORE256(c0, c1) \
	VMOVUPS c0, (R8)   \
	VMOVUPS c1, 32(R8) \
	ADDQ    R9, R8

#define EACH256(op) \
	op(Y0, Y1) \
	op(Y2, Y3) \
	op(Y4, Y5) \
	op(Y6, Y7)

// colScale is in Y8 and Y9, colSum in Y10 and Y11, bias in Y12 and Y13.
#define SCALE256(c0, c1) \
	VBROADCASTSS (R11), Y14    \
	VCVTDQ2PS    c0, c0        \
	VMULPS       Y14, c0, c0   \
	VCVTDQ2PS    c1, c1        \
	VMULPS       Y14, c1, c1   \
	VBROADCASTSS (R12), Y15    \
	VMULPS       Y10, Y15, Y14 \
	VADDPS       Y14, c0, c0   \
	VMULPS       Y11, Y15, Y14 \
	VADDPS       Y14, c1, c1   \
	VMULPS       Y8, c0, c0    \
	VMULPS       Y9, c1, c1    \
	VADDPS       Y12, c0, c0   \
	VADDPS       Y13, c1, c1   \
	ADDQ         $4, R11       \
	ADDQ         $4, R12

#define ADDY256(c0, c1) \
	VADDPS (R11), c0, c0   \
	VADDPS 32(R11), c1, c1 \
	ADDQ   R9, R11

// Four elements of each row of an integer product, o bytes from AX; a panel has
// 128 bytes for them.

#define DOT512(row, c0, c1) \
	VPBROADCASTD row, Z18     \
	VPDPBUSD     Z16, Z18, c0 \
	VPDPBUSD     Z17, Z18, c1

#define STEP512(o) \
	VMOVDQU64 (32*o)(DI), Z16    \
	VMOVDQU64 (32*o+64)(DI), Z17 \
	DOT512(ROW0(o), Z0, Z1)   \
	DOT512(ROW1(o), Z2, Z3)   \
	DOT512(ROW2(o), Z4, Z5)   \
	DOT512(ROW3(o), Z6, Z7)   \
	DOT512(ROW4(o), Z8, Z9)   \
	DOT512(ROW5(o), Z10, Z11) \
	DOT512(ROW6(o), Z12, Z13) \
	DOT512(ROW7(o), Z14, Z15)

#define DOTS512 \
	EACH512(ZERO512) \
dots: \
	STEP512(0)  \
	STEP512(4)  \
	STEP512(8)  \
	STEP512(12) \
	ADDQ $16, AX  \
	ADDQ $512, DI \
	SUBQ $16, R10 \
	JNZ  dots

// func dotTileAVX512(acc *int32, stride int, a *uint8, lda int, w *int8, k int)
TEXT ·dotTileAVX512(SB), NOSPLIT, $0-48
	DOTARGS
	ROWS
	DOTS512
	EACH512(STORE512)
	VZEROUPPER
	RET

// func linearTileAVX512(y *float32, ldy int, a *uint8, lda int, w *int8, k int, c *linearScales)
TEXT ·linearTileAVX512(SB), NOSPLIT, $0-56
	DOTARGS
	ROWS
	DOTS512
	MOVQ    c+48(FP), DI
	SCALES
	VMOVUPS (AX), Z20
	VMOVUPS 64(AX), Z21
	VMOVUPS (BX), Z22
	VMOVUPS 64(BX), Z23
	VMOVUPS (CX), Z24
	VMOVUPS 64(CX), Z25
	EACH512(SCALE512)
	TESTQ   SI, SI
	JZ      store
	MOVQ    R8, R11
	EACH512(ADDY512)

store:
	EACH512(STORE512)
	VZEROUPPER
	RET

// Pairs of products of 0..127 and -127..127 fit 16 bits.

#define DOT256(row, c0, c1) \
	VPBROADCASTD row, Y10       \
	VPMADDUBSW   Y8, Y10, Y11   \
	VPMADDUBSW   Y9, Y10, Y12   \
	VPMADDWD     Y13, Y11, Y11  \
	VPMADDWD     Y13, Y12, Y12  \
	VPADDD       Y11, c0, c0    \
	VPADDD       Y12, c1, c1

#define STEP256(o) \
	VMOVDQU (32*o)(DI), Y8    \
	VMOVDQU (32*o+32)(DI), Y9 \
	DOT256(ROW0(o), Y0, Y1) \
	DOT256(ROW1(o), Y2, Y3) \
	DOT256(ROW2(o), Y4, Y5) \
	DOT256(ROW3(o), Y6, Y7)

// Y13 becomes sixteen ones.
#define DOTS256 \
	EACH256(ZERO256) \
	VPCMPEQW Y13, Y13, Y13 \
	VPABSW   Y13, Y13      \
dots: \
	STEP256(0)  \
	STEP256(4)  \
	STEP256(8)  \
	STEP256(12) \
	ADDQ $16, AX  \
	ADDQ $512, DI \
	SUBQ $16, R10 \
	JNZ  dots

// func dotTileAVX2(acc *int32, stride int, a *uint8, lda int, w *int8, k int)
TEXT ·dotTileAVX2(SB), NOSPLIT, $0-48
	DOTARGS
	ROWS
	DOTS256
	EACH256(STORE256)
	VZEROUPPER
	RET

// func linearTileAVX2(y *float32, ldy int, a *uint8, lda int, w *int8, k int, c *linearScales)
TEXT ·linearTileAVX2(SB), NOSPLIT, $0-56
	DOTARGS
	ROWS
	DOTS256
	MOVQ    c+48(FP), DI
	SCALES
	VMOVUPS (AX), Y8
	VMOVUPS 32(AX), Y9
	VMOVUPS (BX), Y10
	VMOVUPS 32(BX), Y11
	VMOVUPS (CX), Y12
	VMOVUPS 32(CX), Y13
	EACH256(SCALE256)
	TESTQ   SI, SI
	JZ      store
	MOVQ    R8, R11
	EACH256(ADDY256)

store:
	EACH256(STORE256)
	VZEROUPPER
	RET

// One element of each row of a float product; a panel has 128 bytes for it.

#define ADD512(row, c0, c1) \
	VBROADCASTSS row, Z18      \
	VMULPS       Z16, Z18, Z19 \
	VMULPS       Z17, Z18, Z20 \
	VADDPS       Z19, c0, c0   \
	VADDPS       Z20, c1, c1

#define FLOATS512(op) \
	VMOVUPS (DI), Z16   \
	VMOVUPS 64(DI), Z17 \
	op(ROW0(0), Z0, Z1)   \
	op(ROW1(0), Z2, Z3)   \
	op(ROW2(0), Z4, Z5)   \
	op(ROW3(0), Z6, Z7)   \
	op(ROW4(0), Z8, Z9)   \
	op(ROW5(0), Z10, Z11) \
	op(ROW6(0), Z12, Z13) \
	op(ROW7(0), Z14, Z15) \
	ADDQ    $4, AX   \
	ADDQ    $128, DI

#define ADD256(row, c0, c1) \
	VBROADCASTSS row, Y10     \
	VMULPS       Y8, Y10, Y11 \
	VMULPS       Y9, Y10, Y12 \
	VADDPS       Y11, c0, c0  \
	VADDPS       Y12, c1, c1

#define FLOATS256(op) \
	VMOVUPS (DI), Y8   \
	VMOVUPS 32(DI), Y9 \
	op(ROW0(0), Y0, Y1) \
	op(ROW1(0), Y2, Y3) \
	op(ROW2(0), Y4, Y5) \
	op(ROW3(0), Y6, Y7) \
	ADDQ    $4, AX   \
	ADDQ    $128, DI

// func addTileAVX512(y *float32, ldy int, x *float32, ldx int, b *float32, k, begun int)
TEXT ·addTileAVX512(SB), NOSPLIT, $0-56
	FLOATARGS
	EACH512(ZERO512)
	TESTQ R12, R12
	JZ    loop
	EACH512(LOAD512)

loop:
	FLOATS512(ADD512)
	DECQ R10
	JNZ  loop
	EACH512(STORE512)
	VZEROUPPER
	RET

// func addTileAVX2(y *float32, ldy int, x *float32, ldx int, b *float32, k, begun int)
TEXT ·addTileAVX2(SB), NOSPLIT, $0-56
	FLOATARGS
	EACH256(ZERO256)
	TESTQ R12, R12
	JZ    loop
	EACH256(LOAD256)

loop:
	FLOATS256(ADD256)
	DECQ R10
	JNZ  loop
	EACH256(STORE256)
	VZEROUPPER
	RET
