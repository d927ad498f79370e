package test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/wasmtest"
)

// prelude loads ecor.js into a document without scripts of its own.
const prelude = `(async () => {
	Object.assign(globalThis, await import("/ecor.js"));
	/** Draws a PNG file; each seed gives another one. */
	globalThis.photo = async (seed, width = 64, height = 48) => {
		const context = new OffscreenCanvas(width, height).getContext("2d");
		const image = context.createImageData(width, height);
		for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : (i * (3 + seed) + (i >> 7) * 29 * seed) & 255;
		context.putImageData(image, 0, 0);
		return context.canvas.convertToBlob();
	};
	globalThis.photos = (n) => Promise.all(Array.from({ length: n }, (_, i) => photo(i + 1)));
	/** What a promise ends with, in words. */
	globalThis.outcome = (promise) => promise.then((r) => r.answer?.categories[0].category ?? "done", (e) => [e.name, e.kind, e.message].filter(Boolean).join(": "));
	globalThis.until = async (condition) => { while (!condition()) await new Promise((r) => setTimeout(r, 10)); };
})()`

// bare opens a document of the site that has no script, with ecor.js in it.
func (p *page) bare(s *site) {
	p.t.Helper()
	p.run(chromedp.Navigate(s.URL + "/" + s.assets.Labels))
	p.do(prelude)
}

// load sets the global variable ecor.
func (p *page) load(options string) {
	p.t.Helper()
	p.do(`load(` + options + `).then((e) => void (globalThis.ecor = e))`)
}

func TestPool(t *testing.T) {
	p := newPage(t)
	p.bare(tinySite(t))
	p.load(`{ workers: 2 }`)

	t.Run("order", func(t *testing.T) {
		got := eval[struct {
			Same, Order     bool
			Workers, Queued int
		}](p, `(async () => {
			const files = await photos(12);
			const all = files.map((file, id) => ecor.classify(file, { id }));
			const { queued } = ecor.stats;
			const results = await Promise.all(all);
			const { workers } = ecor.stats;
			const alone = await load({ workers: 1 });
			let same = true;
			for (const [i, file] of files.entries()) {
				const { answer } = await alone.classify(file);
				same &&= JSON.stringify(answer) === JSON.stringify(results[i].answer);
			}
			await alone.dispose();
			return { same, order: results.every((r, i) => r.id === i && r.labels === ecor.labels), workers, queued };
		})()`)
		assert.True(t, got.Same, "each photo has the answer that one worker gives, bit for bit")
		assert.True(t, got.Order)
		assert.Equal(t, 2, got.Workers)
		assert.Positive(t, got.Queued)
	})

	t.Run("priority", func(t *testing.T) {
		assert.Equal(t, "b d a c", eval[string](p, `(async () => {
			const one = await load({ workers: 1 });
			const file = await photo(1);
			const done = [];
			one.pause();
			const all = [["a", 0], ["b", 2], ["c", 0], ["d", 1]].map(([id, priority]) => one.classify(file, { id, priority }).then((r) => done.push(r.id)));
			await new Promise((r) => setTimeout(r, 50));
			if (done.length > 0 || one.stats.queued !== 4) throw new Error("a paused pool works");
			one.resume();
			await Promise.all(all);
			await one.dispose();
			return done.join(" ");
		})()`))
	})

	t.Run("abort", func(t *testing.T) {
		got := eval[[]string](p, `(async () => {
			const files = await photos(8);
			const controllers = files.map(() => new AbortController());
			const all = files.map((file, i) => outcome(ecor.classify(file, { signal: controllers[i].signal, onProgress: () => i === 0 && controllers[0].abort() })));
			controllers[6].abort(new Error("not this one"));
			const results = await Promise.all(all);
			await until(() => ecor.stats.running === 0);
			return [...results, String(ecor.stats.queued), await outcome(ecor.classify(files[0], { signal: AbortSignal.abort() }))];
		})()`)
		assert.Contains(t, got[0], "AbortError")
		assert.Equal(t, "Error: not this one", got[6])
		for i, r := range got[1:6] {
			assert.Contains(t, []string{"zebra", "sunset", "forest"}, r, "photo %d", i+1)
		}
		assert.Equal(t, "0", got[8])
		assert.Contains(t, got[9], "AbortError")
	})

	t.Run("labels", func(t *testing.T) {
		got := eval[[]string](p, `(async () => {
			const before = ecor.labels;
			const files = await photos(6);
			const refused = await outcome(ecor.setLabels({ ...before, categories: [] }));
			const kept = ecor.labels === before;
			const pack = { ...before, categories: [{ name: "night", rationales: ["a moon"] }, { name: "day", rationales: ["a " + "very ".repeat(70) + "low sun"] }] };
			const { warnings } = await ecor.setLabels(pack);
			const results = await Promise.all(files.map((file) => ecor.classify(file)));
			const named = results.every((r) => ["night", "day"].includes(r.answer.categories[0].category) && r.labels === pack);
			await Promise.all([ecor.setLabels(pack), ecor.setLabels(before)]);
			const again = await outcome(ecor.classify(results[0].embedding));
			return [refused, String(kept), warnings.join(), String(named), again];
		})()`)
		assert.Contains(t, got[0], "EcorError: refused: ")
		assert.Equal(t, "true", got[1], "labels that are refused change nothing")
		assert.Contains(t, got[2], "is cut at 20 tokens")
		assert.Equal(t, "true", got[3])
		assert.Contains(t, []string{"zebra", "sunset", "forest"}, got[4])
	})

	t.Run("sources", func(t *testing.T) {
		got := eval[struct{ Bitmap, Embedding, Image, Text, First, Table bool }](p, `(async () => {
			const equal = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);
			const file = await photo(3);
			let first, decoded;
			const { answer, embedding, photo: shown } = await ecor.classify(file, { top: 3, topRationales: 32, thumbnail: 20, onFirst: (a) => (first = a), onDecoded: (p) => (decoded = p) });
			const bitmap = await createImageBitmap(file);
			const fromBitmap = await ecor.classify(bitmap, { thumbnail: 0 });
			const fromEmbedding = await ecor.classify(embedding, { top: 3, topRationales: 32 });
			const [one, two] = await ecor.embedText(["a zebra", "a low sun"]);
			const [alone] = await ecor.embedText(["a low sun"]);
			const thumbnail = await createImageBitmap(shown.thumbnail);
			const table = jointTable(answer);
			const sums = answer.categories.map((c) => c.rationales.reduce((sum, r) => sum + r.joint, 0));
			return {
				bitmap: equal(fromBitmap.embedding, embedding) && fromBitmap.photo.thumbnail === undefined,
				embedding: JSON.stringify(fromEmbedding.answer) === JSON.stringify(answer) && fromEmbedding.photo === undefined,
				image: equal(await ecor.embedImage(file), embedding) && decoded.width === 64 && thumbnail.width === 20,
				text: equal(two, alone) && Math.abs(one.reduce((sum, v) => sum + v * v, 0) - 1) < 1e-5,
				first: first.method === "clip" && answer.method === "ecor",
				table: table.joint.length === 3 * table.rationales.length && sums.every((sum, c) => {
					const row = table.joint.subarray(c * table.rationales.length, (c + 1) * table.rationales.length);
					return Math.abs(row.reduce((a, b) => a + b, 0) - sum) < 1e-6;
				}),
			};
		})()`)
		assert.True(t, got.Bitmap && got.Embedding && got.Image && got.Text && got.First && got.Table, "%+v", got)
	})

	t.Run("refused", func(t *testing.T) {
		got := eval[[]string](p, `Promise.all([
			outcome(ecor.classify(new Blob(["this is not an image"]))),
			outcome(ecor.classify(new Float32Array(3))),
			outcome(ecor.embedText(["x".repeat(5000)])),
			photo(1).then((file) => outcome(ecor.classify(file))),
		])`)
		assert.Equal(t, "EcorError: refused: This is not a JPEG, PNG, GIF, WebP or AVIF image.", got[0])
		assert.Contains(t, got[1], "an embedding of 3 values")
		assert.Contains(t, got[2], "a text of 5000 bytes")
		assert.Contains(t, []string{"zebra", "sunset", "forest"}, got[3], "the engine stays usable")
	})

	t.Run("weights", func(t *testing.T) {
		got := eval[struct {
			Garbage, Hash, Same, Named string
			Shipped                    []bool
			Known                      bool
		}](p, `(async () => {
			const { sha256, shipped } = ecor.model;
			const file = await (await fetch("/weights/tiny.safetensors")).blob();
			const garbage = await outcome(ecor.openWeights(new Blob(["these are no weights, only some text"])));
			const hash = await outcome(ecor.openWeights(file, { sha256: "00".repeat(32) }));
			const same = await outcome(ecor.classify(await photo(1)));
			const opened = await ecor.openWeights(file, { sha256: sha256.toUpperCase() });
			const named = await outcome(ecor.classify(await photo(1)));
			return { garbage, hash, same, named, shipped: [shipped, ecor.model.shipped], known: opened.sha256 === sha256 && opened.bytes === file.size };
		})()`)
		assert.Contains(t, got.Garbage, "EcorError: refused: ")
		assert.Contains(t, got.Hash, "not the weights that were asked for: their SHA-256 is ")
		assert.Equal(t, []bool{true, false}, got.Shipped)
		assert.True(t, got.Known)
		assert.Equal(t, got.Same, got.Named)
	})

	t.Run("idle", func(t *testing.T) {
		assert.Equal(t, "2 1 0 1", eval[string](p, `(async () => {
			const short = await load({ workers: 2, idle: 100 });
			const file = await photo(1);
			const all = Array.from({ length: 6 }, () => short.classify(file));
			const counts = [short.stats.workers];
			await Promise.all(all);
			await until(() => short.stats.workers < 2);
			counts.push(short.stats.workers);
			await until(() => short.stats.workers < 1);
			counts.push(short.stats.workers);
			await short.classify(file);
			counts.push(short.stats.workers);
			await short.dispose();
			return counts.join(" ");
		})()`))
	})

	t.Run("keepsLast", func(t *testing.T) {
		assert.Equal(t, 1, eval[int](p, `(async () => {
			const kept = await load({ workers: 2, idle: 20, keepsLast: () => true });
			const file = await photo(1);
			await Promise.all(Array.from({ length: 6 }, () => kept.classify(file)));
			await until(() => kept.stats.workers < 2);
			await new Promise((r) => setTimeout(r, 20 * 30));
			const { workers } = kept.stats;
			await kept.dispose();
			return workers;
		})()`))
	})

	t.Run("dispose", func(t *testing.T) {
		got := eval[[]string](p, `(async () => {
			const file = await photo(1);
			const all = [1, 2, 3, 4, 5, 6].map(() => outcome(ecor.classify(file)));
			await ecor.dispose();
			return [...(await Promise.all(all)), await outcome(ecor.classify(file)), String(ecor.stats.workers), await outcome(load({ signal: AbortSignal.timeout(1) }))];
		})()`)
		for _, r := range got[:7] {
			assert.Contains(t, r, "AbortError: ecor was disposed")
		}
		assert.Equal(t, "0", got[7])
		assert.Contains(t, got[8], "TimeoutError")
	})
}

// TestWorkerCrash makes a module trap once, in the middle of a run: its photo is
// tried again, and no result is lost or changed.
func TestWorkerCrash(t *testing.T) {
	p := newPage(t)
	p.bare(tinySite(t))
	p.load(`{ workers: 2 }`)
	p.workers()[0].do(`{
		const set = Uint8Array.prototype.set;
		let calls = 0;
		Uint8Array.prototype.set = function (...a) {
			if (++calls > 40) throw new WebAssembly.RuntimeError("unreachable");
			return set.apply(this, a);
		};
	}`)
	got := eval[[]string](p, `(async () => {
		const files = await photos(12);
		const crashed = await Promise.all(files.map((file) => outcome(ecor.classify(file))));
		const again = await Promise.all(files.map((file) => outcome(ecor.classify(file))));
		return [String(crashed.every((c, i) => c === again[i])), ...crashed];
	})()`)
	assert.Equal(t, "true", got[0], "%v", got)
	for _, r := range got[1:] {
		assert.Contains(t, []string{"zebra", "sunset", "forest"}, r)
	}
}

// TestOutOfMemory limits the module's memory so that a large photo has no room
// in it: this photo is reported after two attempts, all others go on.
func TestOutOfMemory(t *testing.T) {
	const pages = 96 // of 64 KiB: enough for the tiny weights and small photos
	p := newPage(t)
	p.bare(serveModules(t, tinyWeights(t), limitMemory(t, wasmtest.Module(t), pages), limitMemory(t, wasmtest.RelaxedModule(t), pages)))
	p.load(`{ workers: 2 }`)
	got := eval[[]string](p, `(async () => {
		const files = await photos(6);
		files[2] = await photo(7, 1500, 1500);
		return Promise.all(files.map((file) => outcome(ecor.classify(file))));
	})()`)
	assert.Regexp(t, `^EcorError: dead: the module stopped: .*out of memory`, got[2])
	for _, r := range append(got[:2:2], got[3:]...) {
		assert.Contains(t, []string{"zebra", "sunset", "forest"}, r)
	}
}

// limitMemory gives a module's memory a maximum, which Go's linker leaves out.
func limitMemory(t *testing.T, wasm []byte, pages uint64) []byte {
	t.Helper()
	for at := 8; at < len(wasm); {
		id := wasm[at]
		size, n := binary.Uvarint(wasm[at+1:])
		body := at + 1 + n
		if id != 5 {
			at = body + int(size)
			continue
		}
		require.Equal(t, []byte{1, 0}, wasm[body:body+2], "one memory without a maximum")
		least, _ := binary.Uvarint(wasm[body+2:])
		require.Less(t, least, pages)
		section := binary.AppendUvarint(binary.AppendUvarint([]byte{1, 1}, least), pages)
		out := append(wasm[:at:at], id)
		out = binary.AppendUvarint(out, uint64(len(section)))
		return append(append(out, section...), wasm[body+int(size):]...)
	}
	require.Fail(t, "no memory section")
	return nil
}

// TestWrongFile changes one byte of the weights on their way.
func TestWrongFile(t *testing.T) {
	s := tinySite(t)
	whole := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, s.assets.Weights) {
			w = &flipper{w, 100_000}
		}
		whole.ServeHTTP(w, r)
	})
	p := newPage(t)
	p.bare(s)
	got := eval[[]string](p, `(async () => {
		const first = await outcome(load());
		const kept = await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map((r) => r.url)));
		return [first, kept.flat().join()];
	})()`)
	assert.Regexp(t, `^EcorError: refused: weights/tiny.safetensors is not the file that this page was built with: from byte 0 on its SHA-256 is [0-9a-f]{64}, not `+s.assets.File(s.assets.Weights).SHA256, got[0])
	assert.NotContains(t, got[1], "tiny.safetensors", "it is not kept")
	s.Config.Handler = whole
	assert.Equal(t, "done", eval[string](p, `outcome(load())`))
}

// flipper changes the byte at an offset of a response.
type flipper struct {
	http.ResponseWriter
	at int
}

func (f *flipper) Write(b []byte) (int, error) {
	if f.at >= 0 && f.at < len(b) {
		b = append([]byte(nil), b...)
		b[f.at] ^= 1
	}
	f.at -= len(b)
	return f.ResponseWriter.Write(b)
}

// TestEmbedTextTellsProgress: a worker that embeds many texts says so after every
// step; one that says nothing for two minutes is ended.
func TestEmbedTextTellsProgress(t *testing.T) {
	p := newPage(t)
	p.bare(tinySite(t))
	got := eval[[]string](p, `(async () => {
		const replies = [];
		globalThis.Worker = class extends Worker {
			constructor(script) {
				super(script);
				this.addEventListener("message", ({ data }) => replies.push(data.type));
			}
		};
		const ecor = await load({ workers: 1 });
		const texts = Array.from({ length: 600 }, (_, i) => "a photo of number " + i);
		const file = await photo(1);
		const seen = [];
		for (const embed of [() => ecor.embedText(texts), () => ecor.embedImage(file)]) {
			replies.length = 0;
			await embed();
			seen.push(replies.filter((type) => type !== "report").join(" "));
		}
		await ecor.dispose();
		return seen;
	})()`)
	assert.Regexp(t, "^(progress ){3,}done$", got[0])
	assert.Regexp(t, "^(progress )+done$", got[1])
}

// TestWorkerNotStarted has the second worker fail to start. What has nothing to do
// with memory lowers no limit: the worker is started later, and not tried again
// and again meanwhile.
func TestWorkerNotStarted(t *testing.T) {
	type result struct {
		Most        int
		Calm, Named bool
		Later       []int // workers and limit in the end
	}
	start := func(t *testing.T, reason string, seconds int) result {
		p := newPage(t)
		p.bare(tinySite(t))
		return eval[result](p, `(async () => {
			let tries = 0, failing = true;
			globalThis.Worker = class extends Worker {
				constructor(script) {
					super(script);
					if (tries++ > 0 && failing) queueMicrotask(() => this.dispatchEvent(new ErrorEvent("error", { message: "`+reason+`", cancelable: true })));
				}
			};
			const ecor = await load({ workers: 2 });
			const files = await photos(12);
			const begin = performance.now();
			const elapsed = () => (performance.now() - begin) / 1000;
			const named = await Promise.all(files.map((file) => outcome(ecor.classify(file))));
			const first = { most: ecor.stats.mostWorkers, calm: tries <= 2 + elapsed() / 5, named: named.every((name) => ["zebra", "sunset", "forest"].includes(name)) };
			failing = false;
			while (elapsed() < `+strconv.Itoa(seconds)+` && ecor.stats.workers < 2) await Promise.all([ecor.classify(files[0]), ecor.classify(files[1])]);
			const { workers, mostWorkers } = ecor.stats;
			await ecor.dispose();
			return { ...first, later: [workers, mostWorkers] };
		})()`)
	}
	t.Run("memory", func(t *testing.T) {
		assert.Equal(t, result{Most: 1, Calm: true, Named: true, Later: []int{1, 1}}, start(t, "RangeError: WebAssembly.instantiate(): Out of memory: Cannot allocate Wasm memory for new instance", 7))
	})
	t.Run("network", func(t *testing.T) {
		assert.Equal(t, result{Most: 2, Calm: true, Named: true, Later: []int{2, 2}}, start(t, "NetworkError: the script could not be loaded", 60))
	})
}

// TestWorkers has the number of workers for devices and models, also where other
// weights are opened.
func TestWorkers(t *testing.T) {
	p := newPage(t)
	p.bare(tinySite(t))
	for _, c := range []struct {
		cores, memory, scheme string
		parameters            float64
		want                  int
	}{
		{"undefined", "undefined", "w8a7", 11e6, 2},
		{"1", "8", "w8a7", 11e6, 1},
		{"2", "8", "w8a7", 11e6, 2},
		{"4", "8", "w8a7", 11e6, 3},
		{"16", "8", "w8a7", 11e6, 8},
		{"16", "undefined", "w8a7", 11e6, 4},
		{"16", "0.25", "w8a7", 11e6, 1},
		{"16", "8", "w8a7", 151e6, 8},
		{"16", "8", "w8a7", 428e6, 5},
		{"16", "8", "w4a7", 428e6, 5},
		{"16", "8", "w8", 428e6, 1},
		{"16", "4", "w8a7", 428e6, 2},
		{"16", "8", "float32", 151e6, 4},
		{"16", "1", "float32", 428e6, 1},
	} {
		assert.Equal(t, c.want, eval[int](p, fmt.Sprintf(`workersOf({ hardwareConcurrency: %s, deviceMemory: %s }, { scheme: %q, parameters: %v })`,
			c.cores, c.memory, c.scheme, c.parameters)), "%+v", c)
	}
	assert.Equal(t, "7 2 5", eval[string](p, `(async () => {
		let deviceMemory = 8;
		Object.defineProperties(navigator, { hardwareConcurrency: { value: 8 }, deviceMemory: { get: () => deviceMemory } });
		const ecor = await load();
		const most = [ecor.stats.mostWorkers];
		deviceMemory = 2;
		await ecor.openWeights(await (await fetch("/weights/tiny.safetensors")).blob());
		most.push(ecor.stats.mostWorkers);
		await ecor.dispose();
		const asked = await load({ workers: 5 });
		most.push(asked.stats.mostWorkers);
		await asked.dispose();
		return most.join(" ");
	})()`))
}

// TestServerGone asks for workers whose script no server gives, and no service
// worker keeps.
func TestServerGone(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.bare(s)
	p.load(`{ workers: 2, idle: 20 }`)
	p.do(`until(() => ecor.stats.workers === 0)`)
	s.Server.CloseClientConnections()
	s.Server.Close()
	for _, failing := range []string{`load()`, `ecor.setLabels(ecor.labels)`, `photo(1).then((file) => ecor.classify(file))`} {
		assert.Contains(t, eval[string](p, `outcome(`+failing+`)`), "EcorError: dead: ", failing)
	}
	assert.Equal(t, "0 0", eval[string](p, "`${ecor.stats.workers} ${ecor.stats.queued}`"))
}

// TestWorkerKeepsNoResults: what a worker has answered does not stay in its memory.
func TestWorkerKeepsNoResults(t *testing.T) {
	p := newPage(t)
	p.bare(tinySite(t))
	p.load(`{ workers: 1 }`)
	const each = 500
	classify := fmt.Sprintf(`(async () => {
		const { embedding } = await ecor.classify(await photo(1));
		for (let n = 0; n < %d; n++) await ecor.classify(embedding, { top: 20, topRationales: 20 });
	})()`, each)
	workers := p.workers()
	require.Len(t, workers, 1)
	heap := func() float64 {
		for range 2 {
			_, err := chromedp.Call(workers[0].ctx, heapprofiler.CollectGarbage, cdp.Empty{})
			require.NoError(t, err)
		}
		usage, err := chromedp.Call(workers[0].ctx, cdpruntime.GetHeapUsage, cdp.Empty{})
		require.NoError(t, err)
		return (usage.UsedSize + usage.BackingStorageSize) / each
	}
	p.do(classify)
	before := heap()
	p.do(classify)
	assert.Less(t, heap()-before, 200.0, "bytes a result")
}
