import unittest

from tools.train import bpe

from made_up import tokenizer


class BpeTest(unittest.TestCase):
    def setUp(self):
        self.bpe = tokenizer()

    def words(self, text):
        names = {i: t for t, i in self.bpe.vocab.items()}
        return [names[i] for i in self.bpe.encode(text)[1:-1]]

    def test_order_of_the_vocabulary(self):
        v = self.bpe.vocab
        self.assertEqual((v["!"], v["!</w>"], v["Ġ"]), (0, 256, 220))
        self.assertEqual(v[bpe.END], len(v) - 1)
        self.assertEqual(v[bpe.START], len(v) - 2)

    def test_merges_and_case(self):
        self.assertEqual(self.words("This  PHOTO\n"), ["this</w>", "photo</w>"])
        self.assertEqual(self.words("ph"), ["p", "h</w>"] if "ph</w>" not in self.bpe.vocab else ["ph</w>"])

    def test_splitting(self):
        self.assertEqual(bpe.split("it's 12 a-b, é!?"), ["it", "'s", "1", "2", "a", "-", "b", ",", "é", "!?"])
        self.assertEqual(bpe.normalise("A\u00a0 e\u0301"), "a é")

    def test_every_byte_is_known_and_comes_back(self):
        for b in range(256):
            symbol = self.bpe.symbols[b]
            self.assertIn(symbol, self.bpe.vocab)
            self.assertIn(symbol + "</w>", self.bpe.vocab)
        for text in ("日本語", "😀", "ß", "naïve", "\x01", "ا"):
            self.assertEqual(self.bpe.decode(self.bpe.encode(text)), text)
            self.assertNotIn(self.bpe.end, self.bpe.encode(text)[1:-1])

    def test_cut_to_the_context(self):
        ids = self.bpe.encode("photo " * 100)
        self.assertEqual((len(ids), ids[0], ids[-1]), (77, self.bpe.start, self.bpe.end))

    def test_equals_tokenizers_where_installed(self):
        try:
            import tokenizers  # noqa: F401
        except ImportError:
            self.skipTest("the tokenizers package is not installed")
        merges = sorted(self.bpe.rank, key=self.bpe.rank.get)
        other = bpe._pipeline(self.bpe.vocab, merges)
        for text in ("This is a photo of a round object", "it's 12, é!?", "日本語 😀", "", " A\u00a0e\u0301 ", "\x1c x"):
            self.assertEqual(other.encode(text).ids, self.bpe.encode(text))


if __name__ == "__main__":
    unittest.main()
