package test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestEngineInAnotherPage runs what the README shows to people who want the
// classifier in a page of their own.
func TestEngineInAnotherPage(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	// a document of the site without any script
	p.run(chromedp.Navigate(s.URL + "/weights/small.json"))
	answer := eval[struct {
		Categories []struct {
			Category    string
			Probability float64
			Rationales  []struct {
				Rationale string
				Joint     float64
			}
		}
	}](p, `(async () => {
		const { Engine } = await import("/engine.js");
		const engine = await Engine.start(fetch("/ecor.wasm"));
		const weights = await fetch("/weights/tiny.safetensors");
		await engine.loadWeights(Number(weights.headers.get("content-length")), weights.body);
		engine.setLabels({
			templates: { category: [], rationale: [], conditional: [] },
			categories: [
				{ name: "zebra", rationales: ["black and white stripes", "a short mane"] },
				{ name: "car", rationales: ["four wheels"] },
			],
			cacheBytes: 0,
		});
		const data = new ImageData(64, 48);
		data.data.forEach((_, i) => (data.data[i] = (i * 37) & 255));
		engine.beginImage(data.width, data.height);
		engine.imageRows(new Uint8Array(data.data.buffer));
		return engine.classify({ top: 3 });
	})()`)
	require.Len(t, answer.Categories, 2)
	sum := 0.0
	for _, c := range answer.Categories {
		sum += c.Probability
		require.NotEmpty(t, c.Rationales)
		require.Positive(t, c.Rationales[0].Joint)
	}
	require.InDelta(t, 1, sum, 0.02)
}
