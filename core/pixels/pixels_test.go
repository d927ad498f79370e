package pixels

import (
	"encoding/json"
	"fmt"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	clipMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	clipStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

type goldenCase struct {
	Pattern                     string
	Width, Height, Resize, Crop int
	Planes                      []float32
}

func (c goldenCase) spec() Spec {
	return Spec{Resize: c.Resize, Crop: c.Crop, Mean: clipMean, Std: clipStd}
}

func (c goldenCase) String() string {
	return fmt.Sprintf("%s-%dx%d-%d-%d", c.Pattern, c.Width, c.Height, c.Resize, c.Crop)
}

func goldens(t *testing.T) []goldenCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "cases.json"))
	require.NoError(t, err)
	var cases []goldenCase
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	return cases
}

// noise is a byte that depends on i in no visible way; testdata/make_goldens.py has the same.
func noise(i int) int {
	h := (uint32(i) + 1) * 0x9E3779B1
	h ^= h >> 15
	h *= 0x85EBCA6B
	h ^= h >> 13
	return int(h >> 8 & 255)
}

// generate returns RGBA rows of the pattern, with noise for alpha; testdata/make_goldens.py has the same.
func generate(pattern string, width, height int) []byte {
	rgba := make([]byte, 0, 4*width*height)
	for y := range height {
		for x := range width {
			for c := range 3 {
				var v int
				switch pattern {
				case "constant":
					v = 70 + 60*c
				case "gradient":
					v = [3]int{x * 255 / max(width-1, 1), y * 255 / max(height-1, 1), x + y}[c]
				case "checker":
					v = (x>>c + y>>c) % 2 * 255
				case "noise":
					v = noise((y*width+x)*3 + c)
				case "photo":
					ramp := (x*(3+c)+y*2)%400 - 200
					v = max(ramp, -ramp)
					if (x/37+y/53)%3 == 0 {
						v += 55
					}
					v = min(v, 255)/8*7 + noise((y*width+x)*3+c)/16
				default:
					panic("unknown pattern " + pattern)
				}
				rgba = append(rgba, byte(v))
			}
			rgba = append(rgba, byte(noise(x+y)))
		}
	}
	return rgba
}

func run(t *testing.T, r *Resizer, rgba []byte) []float32 {
	t.Helper()
	require.NoError(t, r.WriteRows(rgba))
	planes := make([]float32, 3*r.spec.Crop*r.spec.Crop)
	require.NoError(t, r.Finish(planes))
	return planes
}

func TestPixelsEqualPillow(t *testing.T) {
	for _, c := range goldens(t) {
		t.Run(c.String(), func(t *testing.T) {
			file, err := os.Open(filepath.Join("testdata", c.String()+".png"))
			require.NoError(t, err)
			defer file.Close()
			want, err := png.Decode(file)
			require.NoError(t, err)
			require.Equal(t, c.Crop, want.Bounds().Dx())

			r, err := New(c.spec(), c.Width, c.Height)
			require.NoError(t, err)
			planes := run(t, r, generate(c.Pattern, c.Width, c.Height))
			for i := range c.Crop * c.Crop {
				red, green, blue, _ := want.At(i%c.Crop, i/c.Crop).RGBA()
				for channel, v := range []uint32{red, green, blue} {
					require.EqualValues(t, v>>8, r.cropped[4*i+channel], "row %d column %d channel %d", i/c.Crop, i%c.Crop, channel)
				}
			}
			if c.Planes != nil {
				require.Equal(t, c.Planes, planes)
			}
		})
	}
}

func TestGoldensCoverBothOrdersAndPadding(t *testing.T) {
	var verticalFirst, horizontalFirst, padded int
	for _, c := range goldens(t) {
		r, err := New(c.spec(), c.Width, c.Height)
		require.NoError(t, err)
		if r.verticalFirst {
			verticalFirst++
		} else {
			horizontalFirst++
		}
		if r.x.pad > 0 {
			padded++
		}
	}
	require.Positive(t, verticalFirst)
	require.Positive(t, horizontalFirst)
	require.Positive(t, padded)
}

func TestBandsOfAnySizeGiveTheSamePixels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range goldens(t) {
		rgba := generate(c.Pattern, c.Width, c.Height)
		r, err := New(c.spec(), c.Width, c.Height)
		require.NoError(t, err)
		whole := run(t, r, rgba)

		require.NoError(t, r.Reset(c.Width, c.Height))
		for rest := rgba; len(rest) > 0; {
			n := min(rng.IntN(8)*4*c.Width, len(rest))
			require.NoError(t, r.WriteRows(rest[:n]))
			rest = rest[n:]
		}
		banded := run(t, r, nil)
		require.Equal(t, whole, banded, c.String())
	}
}

func TestResetForgetsTheLastPhoto(t *testing.T) {
	spec := Spec{Resize: 20, Crop: 32, Mean: clipMean, Std: clipStd}
	sizes := [][2]int{{640, 480}, {10, 300}, {31, 64}, {900, 7}, {1, 1}, {64, 200}}
	reused, err := New(spec, 500, 500)
	require.NoError(t, err)
	for _, size := range sizes {
		rgba := generate("noise", size[0], size[1])
		fresh, err := New(spec, size[0], size[1])
		require.NoError(t, err)
		require.NoError(t, reused.Reset(size[0], size[1]))
		require.Equal(t, run(t, fresh, rgba), run(t, reused, rgba), "%v", size)
	}
}

func TestConstantPhotoStaysConstant(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {5, 1}, {640, 480}, {480, 1640}, {3000, 2}, {2, 3000}} {
		for _, level := range []byte{0, 1, 127, 254, 255} {
			rgba := make([]byte, 4*size[0]*size[1])
			for i := range rgba {
				rgba[i] = level
			}
			r, err := New(Spec{Resize: 24, Crop: 24, Std: [3]float32{1, 1, 1}}, size[0], size[1])
			require.NoError(t, err)
			want := float32(float64(level) / 255)
			for _, v := range run(t, r, rgba) {
				require.InDelta(t, want, v, 1e-7, "%v", size)
			}
		}
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	r, err := New(Spec{Resize: 24, Crop: 24, Mean: clipMean, Std: clipStd}, 200, 100)
	require.NoError(t, err)
	rgba := generate("noise", 200, 100)
	planes := make([]float32, 3*24*24)
	allocs := testing.AllocsPerRun(5, func() {
		if r.Reset(200, 100) != nil || r.WriteRows(rgba) != nil || r.Finish(planes) != nil {
			t.Fail()
		}
	})
	require.Zero(t, allocs)
}

func TestMemoryStaysBounded(t *testing.T) {
	spec := Spec{Resize: 224, Crop: 224, Mean: clipMean, Std: clipStd}
	for _, size := range [][2]int{{MaxSide, 3906}, {3906, MaxSide}, {MaxSide, 1}, {1, MaxSide}, {8000, 16000}, {8064, 6048}} {
		r, err := New(spec, size[0], size[1])
		require.NoError(t, err)
		bytes := 4*(len(r.sums)+len(r.x.weight)+len(r.y.weight)) + len(r.line) + len(r.cropped)
		require.Less(t, bytes, 4<<20, "%v", size)
	}
}

func TestErrorsNameValueAndLimit(t *testing.T) {
	good := Spec{Resize: 24, Crop: 24, Std: [3]float32{1, 1, 1}}
	for _, c := range []struct {
		spec          Spec
		width, height int
		want          string
	}{
		{good, 0, 5, "photo of 0×5 pixels: each side must be 1..32768"},
		{good, 5, 32769, "photo of 5×32769 pixels: each side must be 1..32768"},
		{good, 30000, 30000, "photo of 30000×30000 pixels: 900000000 exceed the limit of 128000000"},
		{Spec{Crop: 24, Std: good.Std}, 5, 5, "image resize of 0 pixels is outside 1..1024"},
		{Spec{Resize: 24, Crop: 1025, Std: good.Std}, 5, 5, "image crop of 1025 pixels is outside 1..1024"},
		{Spec{Resize: 24, Crop: 24}, 5, 5, "image std of 0 is not positive"},
	} {
		_, err := New(c.spec, c.width, c.height)
		require.EqualError(t, err, c.want)
	}

	r, err := New(good, 3, 4)
	require.NoError(t, err)
	planes := make([]float32, 3*24*24)
	require.EqualError(t, r.WriteRows(make([]byte, 13)), "band of 13 bytes is not a multiple of a row's 12")
	require.NoError(t, r.WriteRows(make([]byte, 36)))
	require.EqualError(t, r.WriteRows(make([]byte, 24)), "band of 2 rows exceeds the 1 rows left of 4")
	require.EqualError(t, r.Finish(planes), "photo is incomplete: 3 of 4 rows")
	require.NoError(t, r.WriteRows(make([]byte, 12)))
	require.EqualError(t, r.Finish(planes[1:]), "destination of 1727 values, not 3·24·24")
	require.Error(t, r.Reset(-1, 4))
	require.NoError(t, r.Finish(planes), "a refused Reset changes nothing")
}

func BenchmarkPhoto(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {4000, 3000}, {1500, 4000}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			r, err := New(Spec{Resize: 224, Crop: 224, Mean: clipMean, Std: clipStd}, size[0], size[1])
			require.NoError(b, err)
			band := generate("noise", size[0], 100)
			planes := make([]float32, 3*224*224)
			for b.Loop() {
				require.NoError(b, r.Reset(size[0], size[1]))
				for at := 0; at < size[1]; at += 100 {
					require.NoError(b, r.WriteRows(band[:4*size[0]*min(100, size[1]-at)]))
				}
				require.NoError(b, r.Finish(planes))
			}
			b.ReportMetric(float64(size[0]*size[1])*float64(b.N)/1e6/b.Elapsed().Seconds(), "MPix/s")
		})
	}
}
