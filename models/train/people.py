"""Recordings of people whose licence lets them train: corpus/people.pcm and .pkl, with the phone sequences that may have been said.

A quarter of the people, by a hash of folder and speaker, is kept for scoring and never read here."""

import csv
import itertools
import json
import pickle
import re
import sys

import numpy as np
import pypinyin
import soundfile

import lexicon as L
import phones as P
import voices as V
from paths import CORPUS, MODEL, RECORDINGS, SCALE

FOLDERS = ("wake_keywords", "wake_custom", "wake_community", "commands_coffee", "speech_mandarin")
LICENCES = ("Apache-2.0", "CC BY 4.0", "CC BY 3.0", "MIT", "public domain")


def fnv1a(text):
    """32-bit FNV-1a of the UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def scores(folder, row):
    """Whether a row of a manifest is kept for scoring."""
    return fnv1a(f"{folder}/{row['speaker'] or row['file']}") % 4 == 0


def manifest(folder):
    path = RECORDINGS / folder / "manifest.csv"
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def free(row):
    licence = row["licence"]
    return any(licence.startswith(name) for name in LICENCES) and "SA" not in licence


def load(path):
    sound, rate = soundfile.read(path, dtype="float32")
    if rate != V.RATE:
        raise ValueError(f"{path}: {rate} Hz")
    return sound


class Pronouncer:
    """Every phone sequence that a text may be."""

    def __init__(self):
        self.english, self.syllables = L.read(MODEL, "en"), L.syllable_phones()

    def english_word(self, word, voice="en-us"):
        if word in L.SAID:
            return [s.split() for s in L.SAID[word]]
        if word in self.english and voice == "en-us":
            return self.english[word]
        return list(L.by_rule([word], voice).values())

    def sentence(self, text, voice="en-us", most=64):
        words = [self.english_word(w, voice) for w in text.lower().split()]
        if not all(words):
            return []
        return [sum(c, []) for c in itertools.islice(itertools.product(*words), most)]

    def mandarin(self, text):
        if not re.fullmatch(r"[\u4e00-\u9fff]+", text):
            return []
        syllables = pypinyin.lazy_pinyin(text)
        return [sum((self.syllables[s] for s in syllables), [])] if all(s in self.syllables for s in syllables) else []

    def order(self, label):
        """All sentences of the coffee grammar that carry the intent and slots of a label."""
        slots = json.loads(label)
        leads = ["brew", "can i get", "can i have", "i want", "get me", "give me", "i'd like", "make me", "may i have"]
        front = [slots[k] for k in ("size", "roast", "numberOfShots") if k in slots]
        back = [slots[k] for k in ("milkAmount", "sugarAmount") if k in slots]
        out = []
        for lead, article, f, b in itertools.product(leads, ("a", "an"), itertools.permutations(front), itertools.permutations(back)):
            words = [lead, article, *f, slots["coffeeDrink"]] + (["with", " and ".join(b)] if b else [])
            first = [self.english_word(w)[0] for w in " ".join(words).lower().split()]
            out.append(sum(first, []))
        return out

    def choices(self, folder, row):
        if folder == "commands_coffee":
            return self.order(row["label"])
        if folder == "speech_mandarin":
            return self.mandarin(row["label"])
        voice = "es" if re.search(r"lang=es", row["notes"]) else "en-us"
        return self.sentence(row["label"], voice)


def gather():
    """The shard `people`; a row carries `choices`, and the first one is believed until a network has chosen."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    pronouncer, rows, offset, kept_out = Pronouncer(), [], 0, 0
    if not RECORDINGS.exists():
        print(f"no recordings in {RECORDINGS}: people are left out, synthetic voices only", flush=True)
    with open(CORPUS / "people.pcm", "wb") as file:
        for folder in FOLDERS:
            for row in manifest(folder)[:: round(1 / SCALE)]:
                if scores(folder, row) or not free(row):
                    kept_out += 1
                    continue
                choices = [[P.INDEX[p] for p in c] for c in pronouncer.choices(folder, row)]
                choices = [list(c) for c in dict.fromkeys(map(tuple, ([p for p, _ in itertools.groupby(c)] for c in choices)))]
                if not choices:
                    continue
                sound = load(RECORDINGS / folder / row["file"])
                pcm = (np.clip(sound / max(1e-3, np.abs(sound).max()) * 0.7, -1, 1) * 32767).astype(np.int16)
                file.write(pcm.tobytes())
                believed = len(choices) == 1 or folder.startswith("wake")
                segments = [(p, 0.0) for p in choices[0]] if believed else []
                rows.append(dict(offset=offset, n=len(pcm), text=row["label"], voice="hu:" + folder, segments=segments, tight=False,
                                 choices=choices, key=f"{folder}/{row['file']}"))
                offset += len(pcm)
    with open(CORPUS / "people.pkl", "wb") as file:
        pickle.dump(rows, file)
    print(f"people: {len(rows)} recordings, {offset / V.RATE / 3600:.2f} h; {kept_out} kept for scoring or not free", flush=True)


if __name__ == "__main__":
    if not (CORPUS / "people.pkl").exists() or "again" in sys.argv:
        gather()
