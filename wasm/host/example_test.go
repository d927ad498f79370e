package host_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// Classify a photo and print why. The weights here are random; with those of
// dist/weights the answer makes sense.
func Example() {
	module, err := wasmtest.Build() // or host.File("dist/ecor.wasm")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	h, err := host.Open(ctx, host.Config{
		Module:  host.Bytes(module),
		Weights: host.File("../../core/clip/testdata/tiny/weights.safetensors"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)

	labels := host.NewLabels(wire.LabelSet{Categories: []wire.Category{
		{Name: "zebra", Rationales: []string{"black and white stripes", "four legs"}},
		{Name: "bird", Rationales: []string{"a yellow beak", "blue feathers"}},
	}})
	photo := image.NewNRGBA(image.Rect(0, 0, 640, 480))
	answer, err := h.Classify(ctx, photo, labels, wire.ClassifyOptions{Top: 1, TopRationales: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range answer.Categories {
		fmt.Printf("%s %.0f %% because there is %s (%.2f)\n",
			c.Category, 100*c.Probability, c.Rationales[0].Rationale, c.Rationales[0].Joint)
	}
	// Output:
	// zebra 59 % because there is four legs (0.38)
}
