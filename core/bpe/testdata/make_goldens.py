"""Makes vocab.txt, merges.txt and goldens.json beside this script.

    pip install transformers==5.23.0 tokenizers==0.23.3
    python make_goldens.py

The vocabulary is trained here on a few made-up sentences and laid out as CLIP's: the 256 byte symbols, the same with
</w>, one token for each merge, the special tokens. The reference is transformers.CLIPTokenizer (CLIPTokenizerFast is
the same class in transformers 5), with NFC, white space and lower-case normalisation by the tokenizers library.
"""

import collections
import json
import pathlib
import random

import tokenizers
import transformers
from tokenizers import pre_tokenizers

HERE = pathlib.Path(__file__).parent
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
MERGES = 600
CONTEXT = 16
FULL_CONTEXT = 77

CORPUS = """
a photo of a cat that sleeps on a warm windowsill because there is sun on the old wooden boards.
this is a photo of a zebra because there is a pattern of black and white stripes.
this is a photo of an object because there is a long neck and a spotted coat.
the dog's tail wasn't still; it's wagging, and we're sure they've seen him. i'm here, you'll see, he'd run.
a red fire engine with ladders and blue lights stands beside the station on market street.
an airplane with two wings and four engines flies over the harbour at 10:45, flight 2207 to the north.
the baker brings bread, cheese, apples, pears, cherries and three cups of strong coffee to the table.
a small boat with a white sail crosses the lake; mountains and clouds mirror themselves in the water.
children play football in the park, the ball rolls across the green grass into the pond.
an elephant has large ears, a trunk and tusks; a giraffe has a long neck; a frog has smooth green skin.
the kitchen has a sink, an oven, shelves with plates and glasses, and a window above the counter.
a bedroom with a bed, pillows, a lamp on the nightstand and curtains at the window.
trees stand close together in the forest; light falls through leaves onto moss, ferns and mushrooms.
she reads the newspaper on the train and writes short letters to her friends at home.
what is in this picture, and why? because there is a beak, there are feathers, and there are webbed feet.
trucks and buses stop at the crossing; cyclists wait for the signal; people walk over the bridge.
das kleine mädchen läuft über die straße, die bäume blühen, und der käse schmeckt süß.
le garçon mange une crêpe à l'hôtel; la fenêtre est fermée, où est le château près de la forêt?
el niño está en la montaña con su señora; mañana habrá un pingüino en el jardín.
кошка спит на окне, собака бежит по улице, дети играют в парке у реки.
一只猫坐在窗户上，因为有阳光。これは猫の写真です。これは犬の写真です。
مرحبا بالعالم هذه صورة قطة على النافذة
η γάτα κοιμάται στο παράθυρο και ο σκύλος τρέχει στον δρόμο
!!! ... --- ??? :-) #photo @home (see below) [here] {there} "quoted" 'single' a/b 50% & more * * *
🙂🙂🙂 ❤️ 🐱 🐶 👍 👍🏽 👨‍👩‍👧
"""

PHRASES = [
    "a photo of a cat", "This is a photo of a zebra because there is black and white stripes",
    "A Photo Of A CAT.", "zebra", "Zebra", "ZEBRA", "x", "X", "a b c", "hello world", "antidisestablishmentarianism",
    "because there is a red light", "an object", "two wings and four engines", "photo-of-a-cat", "photo_of_a_cat",
    # contractions
    "the dog's tail", "the DOG'S TAIL", "it's", "IT'S", "wasn't", "WASN'T", "we're", "WE'RE", "they've", "THEY'VE", "i'm", "I'M",
    "you'll", "YOU'LL", "he'd", "HE'D", "'s", "'S", "'stop", "'tis", "'till", "'reveal", "'vehicle", "'media", "'llama", "'door",
    "''s", "'''", "''''s's", "o'clock", "rock'n'roll", "y'all'd've", "'  s", "it’s", "it‘s", "it´s", "it`s", "\"'s\"", "-'s", "s'", "'ſ",
    # punctuation
    "!", "!!", "!!!", "!!!!!", "...", "a.b", "a . b", "(a)", "[a]{b}", "<a>", "</w>", "a</w>", "</w> </w>", "a</w>b", "<|", "|>", "<||>",
    "50%", "a&b", "a & b", "#photo", "@home", "a/b\\c", "$100", "~^`|", "\"quoted\"", "“quoted”", "‘single’", "«guillemets»", "…", "–", "—",
    "a–b—c", "¿qué?", "¡hola!", "‽", "•", "©®™", "§ 5", "№ 5", "±", "×÷", "€ 5", "£5", "°C", "a:-)b", "_", "__init__", "a_b",
    # digits
    "1", "12", "123", "2207", "10:45", "3.14159", "1,000,000", "a1b2", "1st", "2nd", "²", "x²", "½", "¾ cup", "Ⅷ", "ⅷ", "①②③", "٣٤٥",
    "१२३", "๑๒๓", "１２３", "𝟙𝟚", "〇", "零一二", "1️⃣", "x₂",
    # accents, composed and decomposed
    "café", "cafe\u0301", "CAFÉ", "CAFE\u0301", "crêpe", "cre\u0302pe", "naïve", "nai\u0308ve", "mädchen", "ma\u0308dchen", "piñata",
    "pin\u0303ata", "Å", "A\u030a", "\u212b", "ǖ", "u\u0308\u0304", "u\u0304\u0308", "ệ", "e\u0323\u0302", "e\u0302\u0323", "\u1e9b\u0323",
    "q\u0307\u0323", "q\u0323\u0307", "\u0301", "\u0301a", "a\u0301\u0301", "\u0344", "\u0958", "क\u093c", "\u2126", "\u212a", "\u0340",
    "a" + "\u0301" * 31, "a" + "\u0316\u0301" * 20 + "b", "\u0300" * 40, "\u0327\u0301" * 33, "각", "\u1100\u1161\u11a8", "가\u11a8",
    "한국어 사진", "\u1112\u1161\u11ab", "\u0cc6\u0cc2\u0cd5", "\ufb1d", "\U0001d15e", "\U0001109a", "\u3099か", "か\u3099", "ガ", "カ\u3099",
    # marks and composites of Unicode 10 and later, which the reference's normalizer does not know
    "\u11a8\u0323\u2def\u1df9", "a\u0301\u1df9\u0323", "\U00011382\U000113c9", "\u1ab0\u0323", "\u1ac5\u0323\u0301",
    # letter case
    "İ", "İstanbul", "I\u0307", "ı", "DIYARBAKIR", "ß", "STRASSE", "STRAẞE", "straße", "ŒUVRE", "œuvre", "ΑΣ", "ΟΔΥΣΣΕΥΣ", "ὈΔΥΣΣΕΎΣ", "ς",
    "Ǆ", "ǅ", "ǆ", "ﬁ", "ﬂ", "ﬃ", "ﬁsh", "ŉ", "ǰ", "ΐ", "ᾳ", "ᾼ", "ДЕТИ", "Дети", "ԱՐԵՎ", "Ꭰ", "ꭰ", "ᲀ", "Ა", "ა", "𐐀", "Ａ", "Ⓐ", "ⓐ", "K",
    # scripts
    "кошка спит", "Кошка", "й", "и\u0306", "η γάτα", "一只猫", "猫の写真", "これは犬です。", "カタカナ", "ｶﾀｶﾅ", "مرحبا بالعالم", "مَرْحَبًا", "ﷺ", "שלום", "שָׁלוֹם",
    "สวัสดี", "แมว", "नमस्ते", "हिन्दी", "தமிழ்", "ខ្មែរ", "བོད་", "ქართული", "አማርኛ", "မြန်မာ", "ไทย abc 한글", "日本語 and English", "a猫b", "猫1犬",
    "𠀀𠀁", "豈", "\ufa30", "\uf900", "ʻokina", "ꞌ", "ª", "º", "ʰ", "ː", "ʼ",
    # emoji
    "🙂", "🙂🙂", "❤", "❤️", "👍🏽", "👨‍👩‍👧", "🏳️‍🌈", "🇩🇪", "a🙂b", "🙂 🙂", "☃", "♥️love", "🧑🏿‍🚀", "©️", "🫠", "🫩", "#️⃣",
    # white space
    "", " ", "   ", "\t", "\n", " a ", "  a   b  ", "a\tb", "a\nb", "a\r\nb", "a\vb", "a\fb", "a\u0085b", "a\u00a0b", "a\u1680b", "a\u2002b",
    "a\u2003b", "a\u2009b", "a\u200ab", "a\u2028b", "a\u2029b", "a\u202fb", "a\u205fb", "a\u3000b", "a\u200bb", "a\u200cb", "a\u200db",
    "a\u2060b", "\ufeffa", "a\u180eb", "a\u001cb", "a\u001fb", "\u00a0", "\u3000\u3000", "a \u0301b", "\u2000", "\u2001a", "' s", "it' s",
    # control characters and other oddities
    "\x00", "a\x00b", "\x01\x02", "\x7f", "a\x7fb", "\x80", "\x9f", "\u00ad", "soft\u00adhyphen", "\u200e", "\u202eabc", "\ufffd", "\uffff",
    "\ue000", "\U0010ffff", "\U000e0041", "\ufe0f", "\u0600", "\u06dd", "\u2061",
    # special tokens
    EOS, BOS, "a" + EOS + "b", "a " + EOS + " b", BOS + "a photo of a cat" + EOS, EOS + EOS, "<|endoftext|", "|endoftext|>", "< |endoftext|>",
    "<|END" + "OFTEXT|>", "a<|STARTOFTEXT|>b", "!!<|STARTOFTEXT|>!!", "<|StartOfText|>!!", "!" + BOS + "!", "cafe" + EOS + "\u0301", "<" + EOS,
    "<|" + EOS, "<|<|<|EndOfText|>|>", "<|startoftext|><|startoftext|>x", "<|endoftext|>" * 20, "<\u200b|endoftext|>", "＜|endoftext|＞",
    "<|EndOfText|><|EndOfText|>", "a<|ENDOFTEXT|>1", "'<|ENDOFTEXT|>'s",
    # longer than a context
    "a photo of a cat " * 30, "antidisestablishmentarianism " * 12, "z" * 300, "q" * 77, "!?" * 100, "0123456789" * 10, "🙂" * 40, "猫" * 60,
    "a photo of " + "very " * 70 + "old cat", " ".join("abcdefghijklmn"), " ".join("abcdefghijklmno"), " ".join("abcdefghijklmnop"),
]  # fmt: skip

# Random strings are drawn from these, so that rules meet.
ALPHABET = list("abestrdmvl") + list("ABEST'") * 2 + list("  '’.,!?-0١²") + [
    "'s", "'LL", "ph", "oto", "\u0301", "\u0323", "\u0307", "\u00a0", "\n", "é", "É", "ß", "İ", "Å", "猫", "の", "か", "\u3099", "д", "Д", "ع", "\u0651",
    "ท", "\u0e31", "한", "\u1112", "\u1161", "\u11ab", "🙂", "\u200d", "\ufe0f", "ﬁ", "Σ", "<|", "|>", EOS, BOS, "<|EndOfText|>", "</w>", "\u200b", "½",
]  # fmt: skip


def symbols() -> list[str]:
    """The character of every byte, in CLIP's order: visible Latin-1 first."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(b) for b in visible] + [chr(256 + i) for i in range(256 - len(visible))]


def train(pre_tokenize, count: int) -> list[tuple[str, str]]:
    """Byte-pair merges: the most frequent pair first, ties by text."""
    words = collections.Counter(pre_tokenize(CORPUS))
    split = {w: [*w[:-1], w[-1] + "</w>"] for w in words}
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(split[word], split[word][1:]):
                pairs[pair] += n
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        for word, parts in split.items():
            i = 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == best:
                    parts[i : i + 2] = ["".join(best)]
                i += 1
    return merges


def main() -> None:
    blank = transformers.CLIPTokenizer().backend_tokenizer
    assert isinstance(blank.pre_tokenizer, pre_tokenizers.Sequence)

    def pre_tokenize(text: str) -> list[str]:
        return [word for word, _ in blank.pre_tokenizer.pre_tokenize_str(blank.normalizer.normalize_str(text))]

    merges = train(pre_tokenize, MERGES)
    base = symbols()
    tokens = base + [s + "</w>" for s in base] + ["".join(m) for m in merges] + [BOS, EOS]
    vocab = {token: i for i, token in enumerate(tokens)}
    assert len(vocab) == len(tokens)
    reference = transformers.CLIPTokenizer(vocab=vocab, merges=merges)

    rng = random.Random(20261122)
    texts = PHRASES + ["".join(rng.choices(ALPHABET, k=rng.randint(2, 24))) for _ in range(300)]
    goldens = []
    for text in dict.fromkeys(texts):
        goldens.append({
            "text": text,
            "bare": reference(text, add_special_tokens=False).input_ids,
            "context": reference(text, truncation=True, max_length=CONTEXT).input_ids,
            "full": reference(text, truncation=True, max_length=FULL_CONTEXT).input_ids,
        })

    (HERE / "vocab.txt").write_bytes("".join(t + "\n" for t in tokens).encode())
    (HERE / "merges.txt").write_bytes("".join(f"{a} {b}\n" for a, b in merges).encode())
    head = {
        "reference": f"transformers {transformers.__version__} CLIPTokenizer, tokenizers {tokenizers.__version__}",
        "context": CONTEXT,
        "full": FULL_CONTEXT,
    }
    lines = ",\n".join(json.dumps(g) for g in goldens)
    (HERE / "goldens.json").write_text(json.dumps(head)[:-1] + ', "goldens": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
