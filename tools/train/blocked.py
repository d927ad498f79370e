"""Which texts are never trained on: people's sex, age, race, religion, looks, bodies and health.

Contract: allowed(text) is False for a text that says any of that about people. Every text that reaches the
model in training, rationale or caption, and every line of the tokenizer's corpus goes through it. Words that
animals and things share with people ("long legs", "smooth skin", "a tall, slender tower") stay: the photos
they describe are of animals and things. For photos of people themselves all collected rationales are
dropped (see texts.py, PEOPLE), and such photos are only ever called "person". The words are in texts.json, which
tools/evaluate reads too; its patterns are kept to what Python's and Go's regular expressions both understand.
"""
import json
import os
import re

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "texts.json"), encoding="utf-8") as _f:
    _data = json.load(_f)
PATTERN = re.compile(r"\b(?:%s)\b" % "|".join(_data["blocked"].values()))
# Names of things and animals that hold a blocked word and say nothing about people.
HARMLESS = re.compile(_data["harmless"])


def allowed(text):
    return not PATTERN.search(HARMLESS.sub(" ", text.lower()))
