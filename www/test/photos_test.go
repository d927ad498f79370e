package test

import (
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Scenes drawn by code, x and y in 0..1.
var scenes = map[string]func(x, y float64) color.NRGBA{
	"zebra": func(x, y float64) color.NRGBA {
		if math.Sin(34*(x+.12*math.Sin(7*y))) > 0 {
			return color.NRGBA{244, 241, 234, 255}
		}
		return color.NRGBA{28, 26, 30, 255}
	},
	"sunset": func(x, y float64) color.NRGBA {
		if math.Hypot(1.4*(x-.62), y-.55) < .12 {
			return color.NRGBA{255, 240, 190, 255}
		}
		if y > .68 {
			glow := math.Max(0, 1-6*math.Abs(x-.62))
			return color.NRGBA{uint8(60 + 150*glow), uint8(50 + 80*glow), uint8(80 + 20*glow), 255}
		}
		return color.NRGBA{uint8(120 + 130*y), uint8(60 + 110*y), uint8(110 - 60*y), 255}
	},
	"forest": func(x, y float64) color.NRGBA {
		if trunk := math.Mod(7*x+.3*math.Sin(9*x), 1); trunk < .22 && y > .25 {
			return color.NRGBA{uint8(70 + 60*trunk), 52, 34, 255}
		}
		leaf := .5 + .5*math.Sin(61*x+17*math.Sin(23*y))*math.Sin(47*y)
		return color.NRGBA{uint8(30 + 50*leaf), uint8(80 + 110*leaf*(1-.5*y)), uint8(30 + 30*leaf), 255}
	},
}

func drawScene(scene string, width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, scenes[scene](float64(x)/float64(width), float64(y)/float64(height)))
		}
	}
	return m
}

// writePhoto draws a scene into a file; the name's ending picks the format.
func writePhoto(t *testing.T, dir, name, scene string, width, height int) string {
	t.Helper()
	file := filepath.Join(dir, name)
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	if filepath.Ext(name) == ".png" {
		require.NoError(t, png.Encode(f, drawScene(scene, width, height)))
	} else {
		require.NoError(t, jpeg.Encode(f, drawScene(scene, width, height), &jpeg.Options{Quality: 90}))
	}
	return file
}

// threePhotos are a PNG and two JPEG files.
func threePhotos(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{
		writePhoto(t, dir, "stripes.png", "zebra", 320, 240),
		writePhoto(t, dir, "evening.jpg", "sunset", 900, 600),
		writePhoto(t, dir, "walk.jpeg", "forest", 480, 640),
	}
}
