package checkpoint

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

func open(t *testing.T, dir string) *Checkpoint {
	c, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func TestOpen(t *testing.T) {
	c := open(t, checkpointtest.Golden(t, "tiny"))
	assert.Equal(t, 24, c.ProjectionDim)
	assert.Equal(t, Tower{32, 64, 2, 2, "quick_gelu", 1e-5}, c.Vision.Tower)
	assert.Equal(t, 640, c.Text.VocabSize)
	assert.Equal(t, 20, c.Text.ContextLength)
	assert.Equal(t, []int{638, 639}, []int{c.Text.BOS, c.Text.EOS})
	assert.Equal(t, Image{26, 24, [3]float64{0.48145466, 0.4578275, 0.40821073}, [3]float64{0.26862954, 0.26130258, 0.27577711}}, c.Image)
	assert.Equal(t, "<|endoftext|>", c.Tokenizer.Vocab[639])
	assert.Equal(t, [2]string{"t", "h"}, c.Tokenizer.Merges[0])
	assert.Len(t, c.Tokenizer.Merges, 126)
	assert.Nil(t, c.Calibration)
	assert.Equal(t, "not stated", c.License)
}

// Early configurations give 0 and 2 as the ids of the start and end tokens; CLIPModel ignores them.
func TestLegacyEndToken(t *testing.T) {
	c := open(t, checkpointtest.Golden(t, "tiny-gelu"))
	assert.Equal(t, []int{638, 639}, []int{c.Text.BOS, c.Text.EOS})
	assert.Equal(t, "gelu", c.Vision.Activation)
}

// A CLIPModel does not look at bos_token_id; a checkpoint where it is not the tokenizer's was refused.
func TestStartTokenIsTheTokenizers(t *testing.T) {
	for _, bos := range []any{0, nil, -1, 7} {
		dir := checkpointtest.Copy(t, "tiny")
		set("config.json", bos, "text_config", "bos_token_id")(t, dir)
		c := open(t, dir)
		assert.Equal(t, []int{638, 639}, []int{c.Text.BOS, c.Text.EOS})
	}
}

func TestVocabAndMergesGiveTheSameTokenizer(t *testing.T) {
	want := open(t, checkpointtest.Golden(t, "tiny")).Tokenizer
	dir := checkpointtest.Copy(t, "tiny")
	require.NoError(t, os.Remove(filepath.Join(dir, "tokenizer.json")))
	assert.Equal(t, want, open(t, dir).Tokenizer)
}

// Older files write merges as one string and sizes as one number.
func TestOlderFiles(t *testing.T) {
	want := open(t, checkpointtest.Golden(t, "tiny"))
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.EditJSON(t, dir, "tokenizer.json", func(o map[string]any) {
		merges := o["model"].(map[string]any)["merges"].([]any)
		for i, m := range merges {
			pair := m.([]any)
			merges[i] = pair[0].(string) + " " + pair[1].(string)
		}
	})
	checkpointtest.WriteJSON(t, dir, "preprocessor_config.json", map[string]any{
		"size": 26, "crop_size": 24, "resample": 3, "image_mean": want.Image.Mean, "image_std": want.Image.Std})
	got := open(t, dir)
	assert.Equal(t, want.Tokenizer, got.Tokenizer)
	assert.Equal(t, want.Image, got.Image)
}

func TestHalfPrecision(t *testing.T) {
	const name = "vision_model.post_layernorm.weight"
	for _, dtype := range []safetensors.DType{safetensors.F16, safetensors.BF16} {
		dir := checkpointtest.Copy(t, "tiny")
		checkpointtest.EditTensors(t, dir, func(tensors []safetensors.TensorData) []safetensors.TensorData {
			i := slices.IndexFunc(tensors, func(x safetensors.TensorData) bool { return x.Name == name })
			one := map[safetensors.DType][]byte{safetensors.F16: {0x00, 0x3e}, safetensors.BF16: {0xc0, 0x3f}}[dtype] // 1.5
			tensors[i].DType, tensors[i].Data = dtype, slices.Repeat(one, 32)
			return tensors
		})
		w, err := open(t, dir).Load(name)
		require.NoError(t, err)
		assert.Equal(t, slices.Repeat([]float32{1.5}, 32), Values(w))
	}
}

func TestPositionIDsAreIgnored(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.EditTensors(t, dir, func(tensors []safetensors.TensorData) []safetensors.TensorData {
		return append(tensors, safetensors.TensorData{
			Name: "text_model.embeddings.position_ids", DType: safetensors.I64, Shape: []int{1, 20}, Data: make([]byte, 160)})
	})
	open(t, dir)
}

func TestLicense(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "MODEL_CARD.md"), []byte("# tiny\n"), 0o644))
	assert.Equal(t, "see MODEL_CARD.md", open(t, dir).License)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "MODEL_CARD.md"), []byte("---\ntags:\n- clip\nlicense: \"mit\"\n---\nlicense: no\n"), 0o644))
	assert.Equal(t, "mit", open(t, dir).License)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("\n# MIT License\n\nmore\n"), 0o644))
	assert.Equal(t, "MIT License", open(t, dir).License)
}

func TestSHA256(t *testing.T) {
	c := open(t, checkpointtest.Golden(t, "tiny"))
	sum, err := c.SHA256(t.Context(), io.Discard)
	require.NoError(t, err)
	assert.Len(t, sum, 64)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.SHA256(ctx, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

// set returns an edit of a JSON file; path names nested objects.
func set(file string, value any, path ...string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		checkpointtest.EditJSON(t, dir, file, func(o map[string]any) {
			for _, key := range path[:len(path)-1] {
				o = o[key].(map[string]any)
			}
			o[path[len(path)-1]] = value
		})
	}
}

func tensors(edit func(x []safetensors.TensorData) []safetensors.TensorData) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { checkpointtest.EditTensors(t, dir, edit) }
}

func write(file, text string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
	}
}

func remove(files ...string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		for _, f := range files {
			require.NoError(t, os.Remove(filepath.Join(dir, f)))
		}
	}
}

func both(edits ...func(t *testing.T, dir string)) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		for _, edit := range edits {
			edit(t, dir)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	const config, image, tokenizer = "config.json", "preprocessor_config.json", "tokenizer.json"
	renamed := func(name string) func(t *testing.T, dir string) {
		return tensors(func(x []safetensors.TensorData) []safetensors.TensorData {
			x[3].Name = name
			return x
		})
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"no config", remove(config), "config.json: no such file"},
		{"config is no JSON", write(config, "{"), "config.json: unexpected end of JSON input"},
		{"SigLIP", set(config, "siglip", "model_type"), `SigLIP (model_type "siglip") is not supported: want a CLIPModel, model_type "clip"`},
		{"BLIP", set(config, "blip", "model_type"), `BLIP (model_type "blip") is not supported`},
		{"EVA", both(set(config, "evaclip", "model_type"), set(config, []string{"EvaCLIPModel"}, "architectures")), `EVA-CLIP (model_type "evaclip") is not supported`},
		{"SigLIP tensors", renamed("vision_model.head.probe"), "belongs to SigLIP"},
		{"other model", set(config, "altclip", "model_type"), `AltCLIP (model_type "altclip") is not supported`},
		{"one tower", set(config, []string{"CLIPTextModel"}, "architectures"), `architecture "CLIPTextModel" is not supported`},
		{"ResNet", set(config, []int{3, 4, 6, 3}, "vision_config", "layers"), "ResNet image tower is not supported"},
		{"ResNet tensors", renamed("visual.attnpool.c_proj.weight"), "ResNet image tower"},
		{"open_clip tensors", renamed("visual.conv1.weight"), "is named as in open_clip: put the checkpoint's open_clip_config.json"},
		{"BLIP tensors", renamed("text_decoder.bert.embeddings.word_embeddings.weight"), "belongs to BLIP"},
		{"activation", set(config, "relu", "text_config", "hidden_act"), `text_config.hidden_act "relu" is not supported`},
		{"epsilon", set(config, 0, "vision_config", "layer_norm_eps"), "vision_config.layer_norm_eps is 0"},
		{"heads", set(config, 5, "vision_config", "num_attention_heads"), "vision_config.hidden_size 32 is not a multiple of vision_config.num_attention_heads 5"},
		{"layers", set(config, -1, "text_config", "num_hidden_layers"), "text_config.num_hidden_layers is -1: want 1 to"},
		{"projection", set(config, 1<<30, "projection_dim"), "projection_dim is 1073741824: want 1 to 1048576"},
		{"patches", set(config, 7, "vision_config", "patch_size"), "vision_config.image_size 24 is not a multiple of vision_config.patch_size 7"},
		{"channels", set(config, 1, "vision_config", "num_channels"), "num_channels is 1: want 3"},

		{"no preprocessor", remove(image), "preprocessor_config.json: no such file"},
		{"bilinear", set(image, 2, "resample"), "resample is 2: want 3 (bicubic)"},
		{"no filter", set(image, nil, "resample"), "resample is missing"},
		{"crop", set(image, 20, "crop_size"), "crop_size is 20, vision_config.image_size is 24"},
		{"crop not square", set(image, 23, "crop_size", "width"), "want equal height and width"},
		{"size smaller than crop", set(image, 20, "size", "shortest_edge"), "size is 20: want at least crop_size 24"},
		{"two-sided size", set(image, map[string]int{"height": 26, "width": 26}, "size"), `want {"shortest_edge": n}`},
		{"mean", set(image, []float64{0.5}, "image_mean"), "image_mean has 1 values"},
		{"std", set(image, []float64{0.5, 0, 0.5}, "image_std"), "image_std[1] is 0: want a positive value"},
		{"rescale", set(image, 1, "rescale_factor"), "rescale_factor is 1: want 1/255"},
		{"no normalising", set(image, false, "do_normalize"), "must all be true"},

		{"no tokenizer", remove(tokenizer, "vocab.json", "merges.txt"), "found neither tokenizer.json nor vocab.json"},
		{"no merges", remove(tokenizer, "merges.txt"), "merges.txt: no such file"},
		{"bad merge", both(remove(tokenizer), write("merges.txt", "#version: 0.2\nth\n")), `merges.txt: line 2 is "th": want two tokens`},
		{"vocabulary size", set(config, 641, "text_config", "vocab_size"), "640 tokens, the token embedding of config.json has 641"},
		{"end token is not the last", both(set(config, 2, "text_config", "eos_token_id"), swapTokens("<|endoftext|>", "<|startoftext|>")),
			`"<|endoftext|>" is token 638 of 640: want it last`},
		{"not BPE", set(tokenizer, "WordPiece", "model", "type"), `model.type is "WordPiece": want "BPE"`},
		{"no word ends", set(tokenizer, nil, "model", "end_of_word_suffix"), `model.end_of_word_suffix is "": want "</w>"`},
		{"vocabulary is no object", set(tokenizer, 7, "model", "vocab"), "tokenizer.json: malformed"},
		{"unknown merge", set(tokenizer, [][]string{{"q", "q"}}, "model", "merges"), "qq"},
		{"merge of unknown tokens", set(tokenizer, [][]string{{"t", "h"}, {"qqq", "q"}}, "model", "merges"), "1 of 2 merges are repeated or name tokens that are not in the vocabulary"},
		{"added token", set(tokenizer, []map[string]any{{"id": 3, "content": "<|endoftext|>"}}, "added_tokens"), `added token "<|endoftext|>" has id 3, in the vocabulary it has 639`},
		{"id gap", set(tokenizer, 700, "model", "vocab", "!"), `token "!" has id 700 in a vocabulary of 640`},
		{"id twice", set(tokenizer, 1, "model", "vocab", "!"), "have the same id 1"},
		{"no byte symbol", tokenizerWithout("é", "zebra2"), `no token "é"`},
		{"no byte symbol at a word's end", tokenizerWithout("é</w>", "zebra2"), `no token "é</w>"`},
		{"no start token", tokenizerWithout("<|startoftext|>", "zebra2"), `no token "<|startoftext|>"`},
		{"space in a token", tokenizerWithout("th", "z z"), "not in CLIP's form"},
		{"end token", set(config, 638, "text_config", "eos_token_id"), `eos_token_id is 638, the tokenizer's "<|endoftext|>" is 639`},

		{"no model", remove("model.safetensors"), "there is no model.safetensors"},
		{"empty model", write("model.safetensors", ""), "file of 0 bytes is no safetensors file"},
		{"header too long", write("model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}"), "header of 18446744073709551615 bytes in a file of 10"},
		{"truncated model", func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, "model.safetensors"), 200_000))
		}, "model.safetensors: safetensors: "},
		{"missing tensor", tensors(func(x []safetensors.TensorData) []safetensors.TensorData { return x[1:] }), `tensor "logit_scale" is missing`},
		{"unknown tensor", tensors(func(x []safetensors.TensorData) []safetensors.TensorData {
			return append(x, safetensors.TensorData{Name: "adapter.weight", DType: safetensors.F32, Data: make([]byte, 4)})
		}), "is not part of the model"},
		{"wrong shape", tensors(func(x []safetensors.TensorData) []safetensors.TensorData {
			x[1].Shape = []int{32, 20}
			return x
		}), `"text_model.embeddings.position_embedding.weight" has shape [32 20]: want [20 32]`},
		{"wrong type", tensors(func(x []safetensors.TensorData) []safetensors.TensorData {
			x[1].DType = safetensors.I32
			return x
		}), "is I32: want F32, F16 or BF16"},

		{"calibration format", write("calibration.json", `{"format": "v0"}`), `calibration.json: format is "v0"`},
		{"calibration layer", write("calibration.json", `{"format": "ecor-calibration-1", "ranges": {"head": [1]}}`), `"head" is not a linear layer`},
		{"calibration length", write("calibration.json", `{"format": "ecor-calibration-1", "ranges": {"visual_projection": [1]}}`), `has 1 ranges: want 32`},
		{"calibration sign", write("calibration.json", `{"format": "ecor-calibration-1", "ranges": {"visual_projection": [`+negatives(32)+`]}}`), "range 0 is -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := checkpointtest.Copy(t, "tiny")
			c.damage(t, dir)
			_, err := Open(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A directory as other programs leave it, with a pickle and little else, was refused for the files that it lacks.
func TestPicklesAreRefusedFirst(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"ViT-B-32.pt", remove("config.json", "preprocessor_config.json", "tokenizer.json", "vocab.json", "merges.txt"), "there is no model.safetensors; ViT-B-32.pt is a pickle"},
		{"epoch_32.pt", remove("preprocessor_config.json"), "epoch_32.pt is a pickle, which runs any code it contains when it is opened"},
		{"pytorch_model.bin", remove("tokenizer.json", "vocab.json", "merges.txt"), "pytorch_model.bin is a pickle"},
		{"pytorch_model.bin", set("config.json", "siglip", "model_type"), "SigLIP"}, // converting it would be in vain
	} {
		dir := checkpointtest.Copy(t, "tiny")
		both(remove("model.safetensors"), write(c.name, "\x80\x02}q"), c.damage)(t, dir)
		_, err := Open(dir)
		require.ErrorContains(t, err, c.want)
	}
}

// tokenizerWithout renames a token in the vocabulary and drops the merges.
func tokenizerWithout(token, renamed string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		checkpointtest.EditJSON(t, dir, "tokenizer.json", func(o map[string]any) {
			o["added_tokens"] = nil
			model := o["model"].(map[string]any)
			model["merges"] = []any{}
			vocab := model["vocab"].(map[string]any)
			id, ok := vocab[token]
			require.True(t, ok)
			delete(vocab, token)
			vocab[renamed] = id
		})
	}
}

// swapTokens gives two tokens each other's ids.
func swapTokens(a, b string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		checkpointtest.EditJSON(t, dir, "tokenizer.json", func(o map[string]any) {
			o["added_tokens"] = nil
			vocab := o["model"].(map[string]any)["vocab"].(map[string]any)
			vocab[a], vocab[b] = vocab[b], vocab[a]
		})
	}
}

func negatives(n int) string {
	text := "-1"
	for range n - 1 {
		text += ",-1"
	}
	return text
}

func TestLoadErrors(t *testing.T) {
	const name = "visual_projection.weight"
	for value, want := range map[float32]string{
		float32(math.NaN()):   `"visual_projection.weight" holds NaN at element 5: want finite values`,
		float32(math.Inf(-1)): `"visual_projection.weight" holds -Inf at element 5: want finite values`,
	} {
		dir := checkpointtest.Copy(t, "tiny")
		checkpointtest.EditTensors(t, dir, func(x []safetensors.TensorData) []safetensors.TensorData {
			checkpointtest.EditFloats(t, x, name, func(i int, v float32) float32 {
				if i == 5 {
					return value
				}
				return v
			})
			return x
		})
		_, err := open(t, dir).Load(name)
		require.ErrorContains(t, err, want)
	}
	_, err := open(t, checkpointtest.Golden(t, "tiny")).Load("head")
	require.ErrorContains(t, err, `"head" is not a tensor of this model`)
}

// FuzzParseTokenizer: no tokenizer.json makes the library's panics ours, and what is read is consistent.
func FuzzParseTokenizer(f *testing.F) {
	f.Add([]byte(`{"added_tokens": [{"id": 3, "content": "<e>"}],
		"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}`))
	f.Add([]byte(`{"model": {"type": "BPE", "end_of_word_suffix": "</w>", "dropout": "x", "unk_token": 1, "vocab": {"a": 1e99}, "merges": ["a"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := parseTokenizer(b)
		if err != nil {
			return
		}
		for _, m := range tok.Merges {
			require.Contains(t, tok.Vocab, m[0]+m[1])
		}
	})
}

// Early configurations say everything twice: transformers takes the dict, with its own defaults for the rest.
func TestEarlyConfiguration(t *testing.T) {
	c, err := parseConfig([]byte(`{
		"model_type": "clip", "projection_dim": 768,
		"text_config": {"hidden_size": 1, "eos_token_id": 2, "bos_token_id": 0, "hidden_act": "gelu"},
		"text_config_dict": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "projection_dim": 768},
		"vision_config": {"patch_size": 14, "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24},
		"vision_config_dict": null
	}`))
	require.NoError(t, err)
	assert.Equal(t, Tower{768, 3072, 12, 12, "quick_gelu", 1e-5}, c.Text.Tower)
	assert.Equal(t, 49407, c.Text.EOS)
	assert.Equal(t, Tower{1024, 4096, 24, 16, "quick_gelu", 1e-5}, c.Vision.Tower)
	assert.Equal(t, 14, c.Vision.PatchSize)
}

func TestModelTypeMayBeAbsent(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.EditJSON(t, dir, "config.json", func(o map[string]any) { delete(o, "model_type") })
	open(t, dir)
}

// Some writers store the logit scale as a vector of one value.
func TestLogitScaleOfOneValue(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.EditTensors(t, dir, func(x []safetensors.TensorData) []safetensors.TensorData {
		require.Equal(t, "logit_scale", x[0].Name)
		x[0].Shape = []int{1}
		return x
	})
	w, err := open(t, dir).Load("logit_scale")
	require.NoError(t, err)
	assert.True(t, w.IsScalar())
}
