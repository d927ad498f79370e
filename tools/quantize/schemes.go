package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ecor-clip/ecor/tools/quantize/internal/convert"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
	"github.com/ecor-clip/ecor/wasm/host"
)

// modulePath is where ./build.sh build leaves the module.
const modulePath = "dist/ecor.wasm"

// schemeVariants are the rows of the table.
var schemeVariants = []struct {
	name string
	args []string
}{
	{"`float32`", []string{"-scheme", "float32"}},
	{"`w8`", []string{"-scheme", "w8"}},
	{"`w8a7`", []string{"-scheme", "w8a7"}},
	{"`w4a7`", []string{"-scheme", "w4a7"}},
	{"`w4a7 -group 64`", []string{"-scheme", "w4a7", "-group", "64"}},
	{"`w4a7 -embed4`", []string{"-scheme", "w4a7", "-embed4"}},
}

// schemes converts a checkpoint in every scheme and writes a Markdown table of sizes, losses and, where the module is
// built, of its speed and memory under wazero. It takes the flags of a conversion, -out and -scheme excepted, and
// leaves no weights.
func schemes(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := schemeTable(ctx, args, stdout, stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stderr, "quantize:", err)
		return exitFailed
	}
	return exitOK
}

func schemeTable(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var int8Bytes int64
	var rows [][]any
	for _, v := range schemeVariants {
		dir, err := os.MkdirTemp("", "ecor-scheme")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o, err := parse(slices.Concat(args, v.args, []string{"-out", dir}), stderr)
		if err != nil {
			return err
		}
		if o.Photos == "" || len(o.Labels) == 0 {
			return fmt.Errorf("schemes needs -photos and -labels")
		}
		fmt.Fprintln(stderr, v.name)
		r, err := convert.Run(ctx, o, report.NewProgress(stderr))
		if err != nil {
			return err
		}
		if o.Scheme == quant.W8A7 {
			int8Bytes = r.Files[0].Bytes
		}
		speed, memory, err := inModule(ctx, filepath.Join(dir, r.Files[0].Name))
		if err != nil {
			return err
		}
		f, file := r.Fidelity, r.Files[0]
		agree := f.Agreement[0]
		accuracy := "-"
		if total := f.Total(); total.Photos > 0 {
			accuracy = fmt.Sprintf("%.2f %% (%+.2f)", 100*float64(total.Right)/float64(total.Photos), -total.Drop())
		}
		rows = append(rows, []any{
			v.name, report.Bytes(file.Bytes), report.Bytes(file.Gzip), file.Bytes,
			fmt.Sprintf("%.5f / %.5f", f.Images.Mean, f.Images.P1), fmt.Sprintf("%.5f / %.5f", f.Texts.Mean, f.Texts.P1),
			fmt.Sprintf("%d/%d, %d/%d", agree.Same, agree.Photos, agree.ClearSame, agree.Clear), accuracy, speed, memory,
		})
	}
	fmt.Fprintln(stdout, "| scheme | file | gzip | of `w8a7` | cosine of photos, mean / 1st percentile | of texts | same top-1, all and clear | top-1 accuracy | a photo, wazero | memory, wazero |")
	fmt.Fprintln(stdout, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, r := range rows {
		r[3] = fmt.Sprintf("%.2f", float64(r[3].(int64))/float64(int8Bytes))
		fmt.Fprintf(stdout, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r...)
	}
	return nil
}

// photoRuns is how many photos are timed.
const photoRuns = 9

// inModule loads weights into the module under wazero and returns the median time of a photo's embedding and the
// memory that the module has afterwards; "-" where no module is built.
func inModule(ctx context.Context, weights string) (speed, memory string, err error) {
	if _, err := os.Stat(modulePath); err != nil {
		return "-", "-", nil
	}
	h, err := host.Open(ctx, host.Config{Module: host.File(modulePath), Weights: host.File(weights), MemoryLimit: 4 << 30})
	if err != nil {
		return "", "", err
	}
	defer h.Close(ctx)
	img := randomPicture(h.Info().ImageSize)
	var times []time.Duration
	for range photoRuns {
		begun := time.Now()
		if _, err := h.EmbedImage(ctx, img); err != nil {
			return "", "", err
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	return fmt.Sprintf("%.0f ms", times[photoRuns/2].Seconds()*1000), report.Bytes(int64(h.MemoryBytes())), nil
}

// randomPicture returns a picture of random pixels.
func randomPicture(size uint32) *image.NRGBA {
	rng := rand.New(rand.NewPCG(1, 1))
	img := image.NewNRGBA(image.Rect(0, 0, int(size), int(size)))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
	}
	return img
}
