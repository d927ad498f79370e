import json
import os
import tempfile
import unittest

import numpy as np
import torch

from tools.train import data, export, labelsets, lora, main, model, muon, texts, train, visual

import made_up


def hugging_face_names(c):
    """{name: shape} of CLIPModel.state_dict(), written out from the configuration."""
    names = {"logit_scale": ()}
    for tower, key in (("vision", "vision_config"), ("text", "text_config")):
        t = c[key]
        w, h = t["hidden_size"], t["intermediate_size"]
        p = tower + "_model."
        names[("visual" if tower == "vision" else "text") + "_projection.weight"] = (c["projection_dim"], w)
        if tower == "vision":
            names[p + "embeddings.class_embedding"] = (w,)
            names[p + "embeddings.patch_embedding.weight"] = (w, 3, t["patch_size"], t["patch_size"])
            names[p + "embeddings.position_embedding.weight"] = ((t["image_size"] // t["patch_size"]) ** 2 + 1, w)
            norms = ["pre_layrnorm", "post_layernorm"]
        else:
            names[p + "embeddings.token_embedding.weight"] = (t["vocab_size"], w)
            names[p + "embeddings.position_embedding.weight"] = (t["max_position_embeddings"], w)
            norms = ["final_layer_norm"]
        for i in range(t["num_hidden_layers"]):
            q = "encoder.layers.%d." % i
            norms += [q + "layer_norm1", q + "layer_norm2"]
            for x in "qkv":
                names[p + q + "self_attn.%s_proj.weight" % x] = (w, w)
                names[p + q + "self_attn.%s_proj.bias" % x] = (w,)
            names[p + q + "self_attn.out_proj.weight"] = (w, w)
            names[p + q + "self_attn.out_proj.bias"] = (w,)
            names[p + q + "mlp.fc1.weight"], names[p + q + "mlp.fc1.bias"] = (h, w), (h,)
            names[p + q + "mlp.fc2.weight"], names[p + q + "mlp.fc2.bias"] = (w, h), (w,)
        for n in norms:
            names[p + n + ".weight"] = names[p + n + ".bias"] = (w,)
    return names


class ModelTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.tokens = made_up.tokenizer()
        self.net = model.Clip(made_up.config(self.tokens))

    def test_names_and_shapes_are_hugging_face_s(self):
        mini = model.Clip(model.mini_config(8192, 8190, 8191))
        got = {k: tuple(v.shape) for k, v in mini.state_dict().items()}
        self.assertEqual(got, hugging_face_names(mini.config))
        self.assertLessEqual(sum(p.numel() for p in mini.parameters()), 11200000)

    def test_training_path_equals_plain_path(self):
        pixels = torch.randn(3, 3, 32, 32)
        ids = [self.tokens.encode(t) for t in ("this is a photo of a cherry", "this is a photo of a big leaf")]
        with torch.no_grad():
            a = self.net.train().image(pixels), self.net.text(model.pad_texts(ids))
            b = self.net.eval().image(pixels), self.net.text(model.pad_texts(ids, share=False))
        for x, y in zip(a, b):
            self.assertLess((x - y).abs().max().item(), 1e-5)

    def test_padding_does_not_matter(self):
        long, short = (self.tokens.encode(t) for t in ("a photo of a very long text", "leaf"))
        with torch.no_grad():
            both = self.net.eval().text(model.pad_texts([short, long]))[0]
            alone = self.net.text(model.pad_texts([short]))[0]
        self.assertLess((both - alone).abs().max().item(), 1e-5)

    def test_preprocessor_of_other_sizes(self):  # it said 96 for every model, which tools/quantize refuses
        with tempfile.TemporaryDirectory() as root:
            export.export(self.net, root, os.path.join(root, "out"))
            with open(os.path.join(root, "out", "preprocessor_config.json")) as f:
                said = json.load(f)
        self.assertEqual(self.net.side, 32)
        self.assertEqual((said["size"], said["crop_size"]), ({"shortest_edge": 32}, {"height": 32, "width": 32}))

    def test_photos_packed_at_another_size(self):
        pixels = torch.full((2, 3, 48, 48), 200, dtype=torch.uint8)
        here = data.normalise(pixels, 32)
        self.assertEqual(here.shape, (2, 3, 32, 32))
        self.assertTrue(torch.allclose(here, data.normalise(pixels)[..., :32, :32], atol=1e-5))

    def test_export_into_a_folder_with_a_slash_and_folders(self):
        with tempfile.TemporaryDirectory() as root:
            out = os.path.join(root, "out")
            os.makedirs(os.path.join(out, "notes"))
            with open(os.path.join(out, "LICENSE"), "w") as f:
                f.write("terms")
            export.export(self.net, root, out + "/")
            self.assertEqual(sorted(os.listdir(root)), ["out"])
            self.assertEqual(sorted(os.listdir(out)), ["LICENSE", "config.json", "model.safetensors", "preprocessor_config.json"])

    def test_export_finds_what_an_interrupted_one_left(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "out.old"))
            with open(os.path.join(root, "out.old", "LICENSE"), "w") as f:
                f.write("terms")
            export.export(self.net, root, os.path.join(root, "out"))
            self.assertIn("LICENSE", os.listdir(os.path.join(root, "out")))

    def test_config_that_leaves_out_defaults(self):
        with tempfile.TemporaryDirectory() as root:
            path = os.path.join(root, "config.json")
            with open(path, "w") as f:
                json.dump({"vision_config": {"patch_size": 16}, "text_config": {"hidden_size": 7}, "text_config_dict": {"num_hidden_layers": 3}}, f)
            c = export.read_config(path)
            self.assertEqual((c["projection_dim"], c["vision_config"]["patch_size"], c["vision_config"]["hidden_size"]), (512, 16, 768))
            self.assertEqual((c["text_config"]["hidden_size"], c["text_config"]["num_hidden_layers"]), (512, 3))
            self.assertNotIn("text_config_dict", c)
            with open(path, "w") as f:
                json.dump(self.net.config, f)
            with self.assertRaisesRegex(ValueError, "there is no model.safetensors"):
                export.load(root)

    def test_export_and_load(self):
        with tempfile.TemporaryDirectory() as root:
            out = os.path.join(root, "out")
            for _ in range(2):  # the second one replaces the first
                export.export(self.net, root, out)
            back = export.load(out)
            read = export.read_safetensors(os.path.join(out, "model.safetensors"))
            self.assertTrue(all(v.dtype == np.float16 for v in read.values()))
            for k, v in self.net.state_dict().items():
                self.assertTrue(torch.equal(back.state_dict()[k], v.half().float()), k)
            with open(os.path.join(out, "config.json")) as f:
                self.assertEqual(json.load(f)["text_config"]["eos_token_id"], self.tokens.end)

    def test_safetensors_round_trip(self):
        tensors = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(3, np.int64), "c": np.zeros((0, 2), np.uint8)}
        with tempfile.TemporaryDirectory() as root:
            path = os.path.join(root, "x.safetensors")
            export.write_safetensors(path, tensors, {"format": "pt"})
            back = export.read_safetensors(path)
        for k, v in tensors.items():
            self.assertEqual((back[k].dtype, back[k].shape, back[k].tolist()), (v.dtype, v.shape, v.tolist()))

    def test_calibration_covers_every_linear(self):
        pixels = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        ranges = export.calibrate(self.net, self.tokens, pixels, ["a leaf"])["ranges"]
        self.assertEqual(len(ranges["vision_model.encoder.layers.0.self_attn.q_proj"]), 32)
        self.assertEqual(len(ranges["text_model.encoder.layers.1.mlp.fc2"]), 64)
        self.assertEqual(len(ranges), 2 + 2 * 2 * 6)

    def test_blend_lies_between_start_and_trained(self):
        start, trained = model.Clip(self.net.config), model.Clip(self.net.config)
        for share in (0, 0.25, 1):
            net = model.Clip(self.net.config)
            net.load_state_dict(trained.state_dict())
            export.blend(net, start.state_dict(), share)
            for name, p in net.state_dict().items():
                want = (1 - share) * start.state_dict()[name] + share * trained.state_dict()[name]
                self.assertLess((p - want).abs().max().item(), 1e-6, (name, share))

    def test_adopt_keeps_what_a_photo_means_when_its_patches_grow(self):
        old = model.Clip(made_up.config(self.tokens))  # 32 pixels, patches of 8
        c = made_up.config(self.tokens)
        c["vision_config"].update(image_size=64, patch_size=16)
        new = model.Clip(c)
        model.adopt(new, old)
        small = torch.randn(2, 3, 32, 32)
        each = small.reshape(2, 3, 4, 8, 4, 8).permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, 8, 8)
        each = torch.nn.functional.interpolate(each, size=(16, 16), mode="bilinear", align_corners=False)
        large = each.reshape(2, 4, 4, 3, 16, 16).permute(0, 3, 1, 4, 2, 5).reshape(2, 3, 64, 64)
        with torch.no_grad():
            self.assertLess((old.eval().image(small) - new.eval().image(large)).abs().max().item(), 1e-4)

    def test_muon_s_updates_are_nearly_orthogonal(self):
        for shape in ((3, 16, 16), (2, 64, 16), (2, 16, 64)):
            values = torch.linalg.svdvals(muon.orthogonal(torch.randn(*shape)))
            self.assertTrue(0.5 < values.min() and values.max() < 1.3, values)

    def test_added_weights_are_on_the_model_s_device(self):
        """Those of low ranks stayed on the CPU where the model was on a GPU; "meta" stands for one here."""
        for attach in (lora.attach, visual.attach):
            net = model.Clip(made_up.config(self.tokens)).to("meta")
            attach(net, 2)
            self.assertEqual({p.device.type for p in net.parameters()}, {"meta"})

    def test_every_trained_weight_has_one_optimizer(self):
        for attach in (lambda net: None, lambda net: lora.attach(net, 2), lambda net: visual.attach(net, 2)):
            net = model.Clip(made_up.config(self.tokens))
            attach(net)
            held = [p for o in muon.optimizers(net, 1e-3, 0.01, 0.1) for g in o.param_groups for p in g["params"]]
            self.assertEqual(sorted(map(id, held)), sorted(id(p) for p in net.parameters() if p.requires_grad))


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.texts = texts.Texts(*made_up.folder(os.path.join(self.folder.name, "data")))
        self.photos, self.tokens = made_up.Photos(), made_up.tokenizer()

    def tearDown(self):
        self.folder.cleanup()

    def run_of(self, kind, steps, **more):
        torch.manual_seed(0)
        net = model.Clip(made_up.config(self.tokens))
        options = train.Options(kind=kind, steps=steps, batch=16, rate=3e-3, warmup=2, bfloat16=False,
                                stages=((1.0, 1 / 2, 3), ) if kind == "pretrain" else ((1.0, 1, None),), **more)
        return train.Run(self.texts, self.photos, self.tokens, net, options, os.path.join(self.folder.name, kind), log=lambda t: None)

    def test_training_lowers_the_loss(self):
        for kind, more in (("pretrain", {}), ("pretrain", {"muon": 0}), ("ecor", {}), ("control", {}), ("ecor", {"lora": 4}),
                           ("ecor", {"visual": 4}), ("ecor", {"texts_only": True})):
            run = self.run_of(kind, 40, **more)
            seen = [run.one_step() for _ in range(40)]
            most = 0.95 if "visual" in more else 0.85  # a few tokens before towers that know nothing
            self.assertLess(np.mean(seen[-8:]), most * np.mean(seen[:8]), (kind, more))

    def test_lora_trains_low_rank_changes_only_and_merges(self):
        run = self.run_of("ecor", 3, lora=4)
        before = {k: v.clone() for k, v in run.model.state_dict().items()}
        for _ in range(3):
            run.one_step()
        net = export.from_checkpoint(run.state())
        self.assertEqual({k: tuple(v.shape) for k, v in net.state_dict().items()}, hugging_face_names(net.config))
        for k, v in net.state_dict().items():
            old = before.get(k, before.get(k.replace(".weight", ".parametrizations.weight.original")))
            if ".encoder.layers." in k and k.endswith("weight") and "norm" not in k:
                rank = torch.linalg.matrix_rank(v - old, tol=1e-6).item()
                self.assertTrue(1 <= rank <= 4, (k, rank))
            else:
                self.assertTrue(torch.equal(v, old), k)

    def test_visual_prompts_are_all_that_is_trained(self):
        run = self.run_of("ecor", 3, visual=3)
        before = {k: v.clone() for k, v in run.model.state_dict().items()}
        for _ in range(3):
            run.one_step()
        for k, v in run.model.state_dict().items():
            self.assertEqual(torch.equal(v, before[k]), not k.endswith(".prompts"), k)
        net = export.from_checkpoint(run.state()).eval()
        # Word by word: in every layer beside the photo's tokens, and gone after it.
        pixels, vision = torch.randn(2, 3, 32, 32), net.vision_model
        x = vision.pre_layrnorm(vision.embeddings(pixels))
        for i, layer in enumerate(vision.encoder.layers):
            x = torch.cat([x, run.average["vision_model.encoder.layers.%d.prompts" % i].expand(2, -1, -1)], 1)
            x = x + layer.self_attn(layer.layer_norm1(x))[0]
            x = (x + layer.mlp(layer.layer_norm2(x)))[:, :17]
        want = torch.nn.functional.normalize(net.visual_projection(vision.post_layernorm(x[:, 0])), dim=-1)
        self.assertLess((net.image(pixels) - want).abs().max().item(), 1e-6)

    def test_texts_only_leaves_the_image_tower(self):
        run = self.run_of("ecor", 3, texts_only=True, foreign=0.5, rivals=3)
        before = {k: v.clone() for k, v in run.model.state_dict().items()}
        for _ in range(3):
            run.one_step()
        for k, v in run.model.state_dict().items():
            if not k.endswith("k_proj.bias"):  # a softmax does not feel it
                self.assertEqual(torch.equal(v, before[k]), not k.startswith("text"), k)
        self.assertEqual(run.vectors.shape, (len(self.photos), 32))

    def test_visual_prompts_are_not_exported(self):
        run = self.run_of("ecor", 1, visual=3)
        run.loop()
        out = os.path.join(self.folder.name, "out")
        with self.assertRaisesRegex(SystemExit, "deep visual prompts"):
            main.main(["export", "--data", self.folder.name, os.path.join(run.folder, "last.pt"), out])
        self.assertFalse(os.path.exists(out))

    def test_resumed_run_equals_uninterrupted_run(self):
        for kind, more in (("pretrain", {"mix": 0.5}), ("ecor", {}), ("control", {}), ("ecor", {"lora": 4}), ("ecor", {"visual": 4}),
                           ("control", {"texts_only": True})):
            whole = self.run_of(kind, 6, **more)
            for _ in range(6):
                whole.one_step()
            first = self.run_of(kind, 6, **more)
            for _ in range(3):
                first.one_step()
            first.save()
            second = self.run_of(kind, 6, **more)
            second.restore(os.path.join(second.folder, "last.pt"))
            for _ in range(3):
                second.one_step()
            for (n, a), b in zip(whole.model.state_dict().items(), second.model.state_dict().values()):
                self.assertTrue(torch.equal(a, b), (kind, n))
            for n, a in whole.average.items():
                self.assertTrue(torch.equal(a, second.average[n]), (kind, n))

    def test_run_with_other_options_is_not_resumed(self):
        first = self.run_of("ecor", 6)
        first.one_step()
        first.save()
        with self.assertRaisesRegex(ValueError, "steps 6, not 7"):
            self.run_of("ecor", 7).restore(os.path.join(first.folder, "last.pt"))

    def test_blend_begins_where_fine_tuning_did(self):
        """It began at the tokenizer's folder, which need not hold any weights."""
        run = self.run_of("ecor", 3)
        began = {n: p.detach().clone() for n, p in run.model.named_parameters()}
        run.loop()
        state = export.read_checkpoint(os.path.join(run.folder, "last.pt"))
        for n, p in began.items():
            self.assertTrue(torch.equal(state["began"][n], p), n)
        net = export.from_checkpoint(state)
        export.blend(net, state["began"], 0)
        self.assertTrue(all(torch.equal(p, began[n]) for n, p in net.named_parameters()))
        run = self.run_of("pretrain", 1)
        run.loop()
        self.assertIsNone(export.read_checkpoint(os.path.join(run.folder, "last.pt"))["began"])

    def test_names_that_are_never_trained_on(self):
        k = self.texts.classes[self.texts.index[tuple(self.photos.rows[0][:2])]]
        k.names[0] = "buddha"
        with self.assertRaisesRegex(ValueError, "'buddha' of cifar10"):
            self.run_of("pretrain", 1)

    def test_loop_saves(self):
        run = self.run_of("ecor", 2)
        run.loop(every=1)
        self.assertTrue(os.path.exists(os.path.join(run.folder, "last.pt")))

    def test_mixed_photos_hold_shares_of_two(self):
        x = torch.stack([torch.full((3, 8, 8), float(i)) for i in range(6)])
        for seed in range(8):
            y, other, weight = data.mix(x, 4, torch.Generator().manual_seed(seed))
            self.assertTrue(torch.equal(y[:2], x[:2]) and other[:2].tolist() == [0, 1] and weight[:2].tolist() == [1, 1])
            self.assertEqual(sorted(other[2:].tolist()), [2, 3, 4, 5])
            self.assertLess((y.mean((1, 2, 3)) - (weight * torch.arange(6) + (1 - weight) * other)).abs().max().item(), 1e-5)

    def test_label_sets(self):
        classes = [self.texts.index[s, c] for s, c, _, _ in self.photos.rows]
        made = labelsets.label_sets(self.texts, classes, np.full(len(classes), 1 / len(classes)))
        self.assertAlmostEqual(sum(share for _, share in made), 1)
        labels = made[0][0]
        self.assertEqual(labels.names, sorted(made_up.COLOURS))
        self.assertEqual(labels.owners["a flat shape"], [labels.names.index("leaf"), labels.names.index("pool")])
        random = np.random.RandomState(0)
        batch = labels.draw(6, 4, 0, random)
        self.assertEqual(batch.group.tolist(), [g for g in range(6) for _ in range(4)])
        for row, c, g in zip(batch.rows, batch.category, batch.group):
            self.assertEqual(self.photos.rows[row][1], labels.names[c])
            self.assertIn(c, labels.owners[batch.rationales[g]])
        rivals = labels.rivals("a flat shape", [labels.names.index("cherry")], 3, random)
        self.assertEqual(sorted(labels.names[i] for i in rivals), ["cherry", "leaf", "pool"])
        foreign = labels.draw(50, 4, 1, random)
        self.assertTrue(any(c not in labels.owners[foreign.rationales[g]] for c, g in zip(foreign.category, foreign.group)))

    def test_control_sees_the_same_photos(self):
        seen = {}
        for kind in ("ecor", "control"):
            run = self.run_of(kind, 5)
            draws = []
            for labels, _ in run.label_sets:
                draw = labels.draw
                labels.draw = lambda *a, draw=draw: draws.append(draw(*a)) or draws[-1]
            for _ in range(5):
                run.one_step()
            seen[kind] = [(b.rows.tolist(), b.rationales) for b in draws]
        self.assertEqual(len(seen["ecor"]), 5)
        self.assertEqual(seen["ecor"], seen["control"])

    def test_sampler_favours_rare_categories(self):
        rows = [["cifar10", "a", 96, ""]] * 90 + [["cifar10", "b", 96, ""]] * 10
        drawn = data.Sampler(rows, 0).draw(4000)
        share = float(np.mean(drawn >= 90))
        self.assertTrue(0.2 < share < 0.3, share)  # 10 ** 0.5 / (10 ** 0.5 + 90 ** 0.5) = 0.25


if __name__ == "__main__":
    unittest.main()
