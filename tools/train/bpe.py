"""CLIP's byte-level BPE: encoder in plain Python, and training of the vocabulary with Hugging Face `tokenizers`.

Contract
  Bpe(vocab, merges)       vocab: {token: id}, merges: list of (left, right). Bpe.load(folder) reads
                           vocab.json and merges.txt.
  Bpe.encode(text)         list of ids with start and end token, cut to `context`; equals CLIPTokenizerFast.
  train(lines, folder)     writes vocab.json, merges.txt, tokenizer.json, tokenizer_config.json,
                           special_tokens_map.json (needs the `tokenizers` package).

Token order is CLIP's: 256 byte symbols, the same with </w>, merges in order, start of text, end of text.
All 256 bytes are there bare and with </w>, so no input is ever unknown.
"""
import collections
import json
import os
import re
import unicodedata

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 77
# The pattern CLIPTokenizerFast splits with, and an equivalent for the standard library's `re`.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def byte_symbols():
    """byte -> printable symbol, in CLIP's (GPT-2's) order."""
    kept = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = {b: chr(b) for b in kept}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(kept))
    return table


def split(text):
    """Pieces of normalised text as PATTERN finds them (the standard library's `re` knows no \\p{L})."""
    pieces, i, n = [], 0, len(text)

    def kind(ch):
        if ch.isspace() and ch not in "\x1c\x1d\x1e\x1f":
            return "space"
        category = unicodedata.category(ch)[0]
        return {"L": "letter", "N": "number"}.get(category, "other")

    while i < n:
        contraction = re.match(r"'(?:s|t|re|ve|m|ll|d)", text[i:])
        if contraction:
            j = i + contraction.end()
        else:
            here = kind(text[i])
            j = i + 1
            if here in ("letter", "other"):
                while j < n and kind(text[j]) == here:
                    j += 1
            if here == "space":
                i = j
                continue
        pieces.append(text[i:j])
        i = j
    return pieces


def normalise(text):
    text = unicodedata.normalize("NFC", text)
    return re.sub(r"[^\S\x1c-\x1f]+", " ", text).lower()  # Unicode's white space; Python adds four controls


class Bpe:
    def __init__(self, vocab, merges):
        self.vocab = vocab
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.symbols = byte_symbols()
        self.start, self.end = vocab[START], vocab[END]
        self.cache = {}

    @classmethod
    def load(cls, folder):
        with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as f:
            vocab = json.load(f)
        with open(os.path.join(folder, "merges.txt"), encoding="utf-8") as f:
            lines = f.read().split("\n")
        return cls(vocab, [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")])

    def word(self, piece):
        ids = self.cache.get(piece)
        if ids is not None:
            return ids
        parts = [self.symbols[b] for b in piece.encode("utf-8", "replace")]
        parts[-1] += "</w>"
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda pair: self.rank.get(pair, 1 << 30))
            if best not in self.rank:
                break
            joined, i = [], 0
            while i < len(parts):
                if tuple(parts[i:i + 2]) == best:
                    joined.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    joined.append(parts[i])
                    i += 1
            parts = joined
        ids = self.cache[piece] = [self.vocab[p] for p in parts]
        return ids

    def encode(self, text, context=CONTEXT):
        ids = [i for piece in split(normalise(text)) for i in self.word(piece)]
        return [self.start] + ids[:context - 2] + [self.end]

    def decode(self, ids):
        names = {i: t for t, i in self.vocab.items()}
        back = {s: b for b, s in self.symbols.items()}
        text = "".join(names[i] for i in ids if i not in (self.start, self.end))
        raw = bytearray()
        for part in text.split("</w>"):
            raw += bytes(back[ch] for ch in part) + b" "
        return bytes(raw).decode("utf-8", "replace").strip()


def vocabulary(merges):
    """{token: id} in CLIP's order."""
    alphabet = list(byte_symbols().values())
    tokens = alphabet + [s + "</w>" for s in alphabet] + [a + b for a, b in merges] + [START, END]
    vocab = {t: i for i, t in enumerate(tokens)}
    if len(vocab) != len(tokens):
        raise ValueError("two merges make the same token")
    return vocab


def _pipeline(vocab, merges):
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, continuing_subword_prefix="",
                               end_of_word_suffix="</w>", fuse_unk=False, unk_token=END))
    tok.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    if START in vocab:
        tok.add_special_tokens([START, END])
        tok.post_processor = processors.RobertaProcessing(
            (END, vocab[END]), (START, vocab[START]), trim_offsets=False, add_prefix_space=False)
    return tok


def train(lines, folder, size=8192):
    """lines: iterable of (text, weight). Most frequent pair first, ties by the pair itself: deterministic."""
    symbols = byte_symbols()
    words = collections.Counter()
    for text, weight in lines:
        for piece in split(normalise(text)):
            words[piece] += weight
    merges = learn_merges(words, size - 514, symbols)
    vocab = vocabulary(merges)
    os.makedirs(folder, exist_ok=True)
    _pipeline(vocab, merges).save(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as f:
        json.dump(vocab, f, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join("%s %s\n" % m for m in merges))
    write_config(folder)
    return len(vocab)


def write_config(folder):
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump(dict(special, tokenizer_class="CLIPTokenizer", model_max_length=CONTEXT, do_lower_case=True,
                       add_prefix_space=False, errors="replace"), f, indent=2)
    with open(os.path.join(folder, "special_tokens_map.json"), "w") as f:
        json.dump(special, f, indent=2)


def learn_merges(words, count, symbols):
    """Byte-pair merges of {word: weight}: the heaviest pair first, ties in order of the pair's text."""
    parts = {}
    for w in words:
        p = [symbols[b] for b in w.encode("utf-8")]
        p[-1] += "</w>"
        parts[w] = p
    weight, where = collections.Counter(), collections.defaultdict(set)
    for w, p in parts.items():
        for pair in zip(p, p[1:]):
            weight[pair] += words[w]
            where[pair].add(w)
    merges, made = [], set()
    while len(merges) < count and weight:
        pair, n = min(weight.items(), key=lambda item: (-item[1], item[0]))
        if n < 2:
            break
        del weight[pair]
        token = pair[0] + pair[1]
        if token not in made:  # the same text by another pair would be a second id for one token: skip the pair
            made.add(token)
            merges.append(pair)
        else:
            where.pop(pair, None)
            continue
        for w in sorted(where.pop(pair)):
            p = parts[w]
            for q in zip(p, p[1:]):
                if q != pair and q in weight:
                    weight[q] -= words[w]
                    if weight[q] <= 0:
                        del weight[q]
            joined, i = [], 0
            while i < len(p):
                if i + 1 < len(p) and (p[i], p[i + 1]) == pair:
                    joined.append(token)
                    i += 2
                else:
                    joined.append(p[i])
                    i += 1
            parts[w] = joined
            for q in zip(joined, joined[1:]):
                weight[q] += words[w]
                where[q].add(w)
    return merges
