"""The score card: how often the network finds what was said, by voices and people that it never heard.

An utterance is right when, of all sentences of its test, the one that was said has the best path, and that path beats a free loop of phones
(scaled as the grammar's [unk] is). No decoder is involved: what Hark itself reaches is measured by `make bench-ears`.
usage: score.py RUN"""

import re
import sys

import numpy as np
import yaml

import export
import features as F
import infer
import lexicon as L
import people
import phones as P
import texts
import voices as V
from paths import MODEL, RECORDINGS, SCALE

LOOP_SCALE = 1.15


def loop_score(out, bigram):
    """The best path through any phones, each paying LOOP_SCALE times its bigram; silence is free where it is optional."""
    logs = bigram * LOOP_SCALE
    move = logs.copy()
    move[:, 0], move[0] = -1.0, logs[0]
    first, more = out[:, 0::2], out[:, 1::2]
    a = np.where(np.arange(P.N_PHONES) == 0, 0, logs[0]) + first[0]
    for t in range(1, len(out)):
        a = np.maximum(a + more[t], (a[:, None] + move).max(0) + first[t])
    return a.max()


class Test:
    """Sentences with their phone sequences, and the recordings that say one of them each."""

    def __init__(self, name, language, sentences):
        self.name, self.language = name, language
        self.sentences = sentences
        self.flat = [(i, s) for i, choices in enumerate(sentences.values()) for s in choices]
        self.index = {s: i for i, s in enumerate(sentences)}
        self.bigram = np.array([list(map(float, l.split())) for l in (MODEL / "lm" / f"{language}.txt").read_text().splitlines()])

    def right(self, f, text, sound):
        """(right and better than the loop, right among the sentences)"""
        sound = np.concatenate([np.zeros(4000, np.float32), sound, np.zeros(8000, np.float32)])
        out = infer.outputs(f, F.mfcc((sound * 32767).astype(np.float32)))
        scores = infer.best_path(out, [s for _, s in self.flat])
        best = int(np.argmax(scores))
        hit = self.flat[best][1] in [s for i, s in self.flat if i == self.index[text]]  # words that sound alike are one
        return hit and scores[best] > loop_score(out, self.bigram), hit


def sequences(language, sentences, pronouncer):
    """{sentence: phone sequences}"""
    out = {}
    for text in sentences:
        if language == "en":
            found = pronouncer.sentence(text)
        elif language == "zh":
            found = pronouncer.mandarin(text.replace(" ", ""))
        else:
            found = [sum((w for w in L.by_rule([w], "de").values()), []) for w in [text]]
        if found:
            out[text] = [[P.INDEX[p] for p in s] for s in found]
    return out


def held_voices(language, sentences, rng):
    """(sentence, samples) by every kind of voice that is kept for scoring."""
    espeak = V.Espeak()
    for _ in range(2 if language == "en" else 3):
        for text in sentences:
            said = " ".join(L.pinyin(text)) if language == "zh" else text
            voices = V.ESPEAK_LANGUAGES[language]
            for _ in range(20):
                variant = V.HELD_ESPEAK[int(rng.integers(len(V.HELD_ESPEAK)))]
                found = espeak.say(said, voices[int(rng.integers(len(voices)))], variant, rng.integers(130, 210), rng.integers(30, 70), 50)
                if found:
                    yield text, found[0]
                    break
    if language == "en":
        flite = V.Flite()
        for text in sentences:
            yield text, flite.say(text, V.HELD_FLITE[0], float(rng.uniform(0.9, 1.15)))[0]
        for text, found in zip(sentences, V.festival(V.HELD_FESTIVAL[0], list(sentences))):
            if found:
                yield text, found[0]


class Spoiler:
    """Noise at 10 dB and measured rooms, of the rows that are kept for scoring (synthetic ones where there are no recordings)."""

    def __init__(self, rng):
        self.rng = rng
        load = lambda folder, row: people.load(RECORDINGS / folder / row["file"])
        self.noises = [load("noise", r) for r in people.manifest("noise") if "ESC-10" in r["source_repo"] and r["file"].split("__")[-1][0] in "45"]
        self.rooms = [load("room_responses", r) for r in people.manifest("room_responses") if people.scores("room_responses", r)]

    def noisy(self, sound, snr_db=10):
        n = self.noises[int(self.rng.integers(len(self.noises)))] if self.noises else F.coloured(self.rng, 80000, 1)
        n = np.resize(np.roll(n, int(self.rng.integers(len(n)))), len(sound))
        level = np.sqrt(np.mean(sound**2)) / (np.sqrt(np.mean(n**2)) + 1e-9) * 10 ** (-snr_db / 20)
        out = sound + n * level
        return out / max(1.0, np.abs(out).max())

    def room(self, sound):
        h = self.rooms[int(self.rng.integers(len(self.rooms)))] if self.rooms else F.synthetic_room(self.rng)
        h = h[int(np.abs(h).argmax()) :][: V.RATE]
        out = np.convolve(sound, h)[: len(sound) + 2000] if len(sound) < 1000 else np.fft.irfft(
            np.fft.rfft(sound, len(sound) + len(h)) * np.fft.rfft(h, len(sound) + len(h)))[: len(sound) + 2000]
        return self.noisy((out / np.abs(out).max() * 0.5).astype(np.float32))


def report(name, f, test, items, how=lambda sound: sound):
    results = [test.right(f, text, how(level(sound))) for text, sound in items]
    strict, closed = np.mean(results, 0) * 100
    print(f"| {name} | {len(results)} | {strict:.1f} % | {closed:.1f} % |", flush=True)


def level(sound):
    return (sound / (np.abs(sound).max() + 1e-6) * 0.5).astype(np.float32)


def main(run, quick=False):
    f, steps = export.load(run)
    rng, pronouncer, spoiler = np.random.default_rng(99), people.Pronouncer(), Spoiler(np.random.default_rng(98))
    print(f"run {run}, {steps} steps\n\n| test | utterances | right, and better than any phones | right among the sentences |\n|---|---|---|---|")
    for language, sentences in yaml.safe_load((texts.HERE / "texts.yaml").read_text())["score"].items():
        test = Test("", language, sequences(language, sentences, pronouncer))
        items = list(held_voices(language, [s for s in sentences if s in test.sentences], rng))
        if quick:
            items = items[::3]
        report(f"{language}: {len(test.sentences)} commands, unheard voices, clean", f, test, items)
        report("the same, noise at 10 dB", f, test, items, spoiler.noisy)
        report("the same, measured room and noise at 10 dB", f, test, items, spoiler.room)
    given = [n for n in texts.faker_names("en")[0] if n in pronouncer.english][::3][:300]
    test = Test("", "en", sequences("en", given, pronouncer))
    report(f"en: {len(given)} first names told apart, unheard voices", f, test, list(held_voices("en", given[:: 8 if quick else 3], rng)))
    for name, language, folder, every, rows in human_tests(pronouncer):
        test = Test("", language, sequences(language, every, pronouncer))
        items = [(r["label"].lower(), people.load(RECORDINGS / folder / r["file"])) for r in rows if r["label"].lower() in test.sentences]
        if items:
            report(name, f, test, items)
            report("the same, noise at 10 dB", f, test, items, spoiler.noisy)


def human_tests(pronouncer):
    """(name, language, folder, all sentences, rows that score)"""
    for folder, what in (("wake_keywords", "wake words"), ("wake_custom", "phrases of a few people"), ("wake_community", "phrases, other microphones")):
        rows = [r for r in people.manifest(folder) if "lang=es" not in r["notes"]]
        yield f"people: {what}", "en", folder, sorted({r["label"].lower() for r in rows}), [r for r in rows if people.scores(folder, r)]
    rows = people.manifest("digits")
    yield "people: digits, telephone band", "en", "digits", sorted({r["label"] for r in rows}), rows
    rows = [r for r in people.manifest("words_mandarin") if re.fullmatch(r"[\u4e00-\u9fff]+", r["label"])]
    yield "zh: words, one person", "zh", "words_mandarin", sorted({r["label"] for r in rows}), rows
    rows = people.manifest("speech_mandarin")
    yield "zh: sentences, unheard people", "zh", "speech_mandarin", sorted({r["label"] for r in rows}), [r for r in rows if people.scores("speech_mandarin", r)]


if __name__ == "__main__":
    main(sys.argv[1], "quick" in sys.argv or SCALE < 1)
