"""How evidence of a wake phrase is weighed: fits wake.txt of the model to recordings of people, and scores it on others.

    cargo build --release -p speech --example wake_evidence && python wake.py [--hours 1.5]

People in the score quarter are only scored. What is fitted is one set of weights for all phrases: within each phrase that people said, calls against all
other talk; then, over random words and pairs of words that nobody said, how the threshold must move with the length of a phrase."""

import argparse
import pathlib
import random
import subprocess
import tempfile

import numpy as np
from scipy.optimize import minimize
from scipy.signal import fftconvolve

import lexicon as L
import people
import voices as V
from paths import MODEL, RECORDINGS, ROOT

SAID_BY_PEOPLE = ("wake_keywords", "wake_custom", "wake_community")
OTHER_TALK = ("speech_english", "commands_coffee", "digits", "speech_mandarin")
CONDITIONS = ("clean", "10 dB", "5 dB", "room", "talk")
#: As spot.rs has them.
EVIDENCE = ("total", "per_phone", "per_frame", "worst", "second", "third", "worst_sum", "sharp", "sharp_worst", "slow", "fast",
            "longest", "expected", "phones")
#: What is weighed; that people call slowly is an accident of these recordings.
WEIGHED = ("total", "per_phone", "per_frame", "worst", "second", "third", "worst_sum", "sharp", "sharp_worst", "fast")
RECORD = np.dtype([("row", "<u4"), ("phrase", "<u4"), ("start", "<i4"), ("end", "<i4"), ("x", "<f4", len(EVIDENCE))])
#: Phrases whose words are in another one: hearing that is no mistake.
PARTS = {"hey computer": "computer", "hey archie": "archie", "hey fenrir": "fenrir"}
#: How much surer than one false wake per hour the phrase must be at sensitivity 0.5, in logits.
STRICT = 1.2
#: Of what a longer phrase may be less sure, this share is kept: long phrases wake less often by mistake.
LENGTH_COUNTS = 0.9


def level(sound):
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    power = (frames**2).mean(1) if len(frames) else np.zeros(1)
    return float(np.sqrt(power[power > power.max() * 1e-3].mean())) + 1e-7 if power.max() > 0 else 1e-7


class Mixer:
    """Noise, rooms and other talkers of one part of the people."""

    def __init__(self, part, rng):
        self.rng = rng
        sounds = lambda folder: [people.load(RECORDINGS / folder / r["file"]) for r in rows(folder, part)]
        self.noises = [it for it in sounds("noise") if level(it) > 1e-4]
        self.rooms, self.talk = sounds("room_responses"), sounds("speech_english")

    def background(self, pool, n):
        parts = []
        while sum(map(len, parts)) < n:
            it = pool[self.rng.integers(len(pool))]
            parts.append(np.roll(it, self.rng.integers(len(it))) / level(it))
        return np.concatenate(parts)[:n]

    def mix(self, sound, condition):
        pause = np.zeros(int(0.6 * V.RATE), np.float32)
        sound = np.concatenate([pause, sound, pause])
        if condition == "room":
            response = self.rooms[self.rng.integers(len(self.rooms))]
            sound = fftconvolve(sound, response[np.abs(response).argmax():])[: len(sound)] / 4
        below = {"10 dB": 10, "room": 10, "talk": 10, "5 dB": 5}.get(condition)
        if below is not None:
            pool = self.talk if condition == "talk" else self.noises
            sound = sound + self.background(pool, len(sound)) * level(sound) * 10 ** (-below / 20)
        sound = sound * 10 ** (self.rng.uniform(-6, 6) / 20)
        sound = sound / max(1.0, np.abs(sound).max() / 0.99) + self.rng.standard_normal(len(sound)) * 3e-5
        return (np.clip(sound, -1, 1) * 32767).astype("<i2")


def rows(folder, part):
    return [it for it in people.manifest(folder) if people.scores(folder, it) == (part == "score")]


def phrases(n_random):
    """Those of the recordings, then random ones: text and pronunciations."""
    lexicon = {**L.read(MODEL, "en"), **{word: [it.split() for it in said] for word, said in people.SAID.items()}}
    said = {r["label"] for f in SAID_BY_PEOPLE for r in people.manifest(f) if not r["file"].startswith("neg")}
    known = sorted(it for it in said if all(word in lexicon for word in it.split()))
    pick, words, other = random.Random(5), sorted(it for it in lexicon if it.isalpha()), []
    while len(other) < n_random:
        text = " ".join(pick.sample(words, pick.choice((1, 1, 2))))
        if 5 <= sum(len(lexicon[word][0]) for word in text.split()) <= 14:
            other.append(text)
    spell = lambda word: " | ".join(it if isinstance(it, str) else " ".join(it) for it in lexicon[word])
    return known, [f"{text}\t" + " / ".join(map(spell, text.split())) for text in known + other]


class Part:
    """The evidence in the recordings of one part of the people."""

    def __init__(self, part, hours, known, lines, folder):
        rng = np.random.default_rng(3)
        mixer = Mixer(part, rng)
        every = [(f, r) for f in SAID_BY_PEOPLE + OTHER_TALK for r in rows(f, part)]
        rng.shuffle(every)
        self.label, self.condition, self.hours = [], [], []
        with open(folder / "sound.raw", "wb") as sound, open(folder / "lengths.tsv", "w") as lengths:
            for f, row in every:
                if sum(self.hours) > hours:
                    break
                said = f in SAID_BY_PEOPLE and not row["file"].startswith("neg")
                for condition in rng.choice(CONDITIONS, 2, replace=False):
                    samples = mixer.mix(people.load(RECORDINGS / f / row["file"]), condition)
                    sound.write(samples.tobytes())
                    print(row["file"], len(samples), sep="\t", file=lengths)
                    self.label.append(known.index(row["label"]) if said and row["label"] in known else -1)
                    self.condition.append(condition)
                    self.hours.append(len(samples) / V.RATE / 3600)
        (folder / "phrases.tsv").write_text("\n".join(lines))
        tool = [str(ROOT / "target/release/examples/wake_evidence")]
        with open(folder / "sound.raw", "rb") as sound, open(folder / "outputs", "wb") as outputs:
            subprocess.run([*tool, "outputs", MODEL, folder / "lengths.tsv"], stdin=sound, stdout=outputs, check=True)
        with open(folder / "outputs", "rb") as outputs:
            arguments = ["evidence", MODEL, folder / "lengths.tsv", folder / "phrases.tsv", "en"]
            records = subprocess.run([*tool, *arguments], stdin=outputs, stdout=subprocess.PIPE, check=True).stdout
        self.label, self.condition, self.hours = np.array(self.label), np.array(self.condition), np.array(self.hours)
        r = np.frombuffer(records, RECORD)
        within = [(known.index(long), known.index(short)) for long, short in PARTS.items() if long in known and short in known]
        counts = ~np.any([(self.label[r["row"]] == long) & (r["phrase"] == short) for long, short in within] or [np.zeros(len(r), bool)], 0)
        self.records = r[counts]
        self.x, self.phrase = self.records["x"].astype(float), self.records["phrase"].astype(int)
        self.called = self.label[self.records["row"]] == self.phrase

    def other_hours(self, phrase):
        return self.hours[self.label != phrase].sum()


def surest(groups, scores):
    """The place of the best score of each group."""
    order = np.lexsort((-scores, groups))
    return order[np.r_[True, np.diff(groups[order]) != 0]] if len(order) else order


def slopes(part, n_known):
    """Weights that tell calls from other talk, with a threshold of its own for each phrase."""
    columns = [EVIDENCE.index(it) for it in WEIGHED]
    use = part.phrase < n_known
    x, phrase, row, called = part.x[use][:, columns], part.phrase[use], part.records["row"][use], part.called[use]
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    z, score = (x - mean) / deviation, part.x[use][:, 1]
    for _ in range(4):
        calls = np.flatnonzero(called)
        calls = calls[surest(row[calls], score[calls])]
        others = np.flatnonzero(~called)
        at = np.r_[calls, others]
        a, y = np.c_[z[at], np.eye(n_known)[phrase[at]]], np.r_[np.ones(len(calls)), np.zeros(len(others))]
        n_calls, n_others = (np.maximum(np.bincount(phrase[it], minlength=n_known), 1) for it in (calls, others))
        weight = np.sqrt(n_calls)[phrase[at]] / np.where(y > 0, n_calls[phrase[at]], n_others[phrase[at]])
        weight *= 1000 / weight.sum()
        ridge = np.r_[np.full(len(columns), 3.0), np.full(n_known, 0.01)]

        def cost(v):
            s = a @ v
            p = 1 / (1 + np.exp(-np.clip(s, -40, 40)))
            return (weight * (np.logaddexp(0, s) - y * s)).sum() + (ridge * v * v).sum() / 2, a.T @ (weight * (p - y)) + ridge * v

        v = minimize(cost, np.zeros(a.shape[1]), jac=True, method="L-BFGS-B").x
        score = z @ v[: len(columns)]
    weights = np.zeros(len(EVIDENCE))
    weights[columns] = v[: len(columns)] / deviation
    return weights


def fit(part, n_known, n_all):
    """Weights and bias: about one false wake per hour at zero for phrases of six phones, less for longer ones."""
    weights = slopes(part, n_known)
    scores, levels, shapes = part.x @ weights, [], []
    for phrase in range(n_all):
        top = np.sort(scores[(part.phrase == phrase) & ~part.called])[::-1]
        n = max(1, round(part.other_hours(phrase)))
        if len(top) > n:
            levels.append(top[n - 1 : n + 1].mean())
            x = part.x[part.phrase == phrase]
            shapes.append([1, np.median(x[:, -1]), np.median(x[:, -2])])
    base, by_length, by_bigram = np.linalg.lstsq(np.array(shapes), np.array(levels), rcond=None)[0]
    weights[-1], weights[-2] = -LENGTH_COUNTS * by_length, -by_bigram
    return weights, -base - (1 - LENGTH_COUNTS) * by_length * np.log(6) - STRICT


def report(part, known, weights, bias):
    scores = part.x @ weights + bias
    calls = np.flatnonzero(part.called)
    calls = calls[surest(part.records["row"][calls], scores[calls])]
    best = np.full(len(part.label), -np.inf)
    best[part.records["row"][calls]] = scores[calls]
    print("| phrase | " + " | ".join(f"missed, {it}" for it in CONDITIONS) + " | false per hour |\n|---" * 1 + "|---" * (len(CONDITIONS) + 1) + "|")
    for name, which in [(it, [i]) for i, it in enumerate(known)] + [("all", list(range(len(known))))]:
        said = np.isin(part.label, which)
        missed = [best[said & (part.condition == it)] < 0 for it in CONDITIONS]
        cells = [f"{100 * it.mean():.0f} % of {len(it)}" if len(it) else "-" for it in missed]
        n = (~part.called & np.isin(part.phrase, which) & (scores > 0)).sum()
        print(f"| {name} | " + " | ".join(cells) + f" | {n / max(1e-9, sum(part.other_hours(it) for it in which)):.2f} |")
    for sensitivity in (0.1, 0.3, 0.5, 0.7, 0.9):
        above = 5 * (0.5 - sensitivity)
        missed = (best[part.label >= 0] < above).mean()
        n = (~part.called & (part.phrase < len(known)) & (scores > above)).sum() / sum(part.other_hours(it) for it in range(len(known)))
        print(f"sensitivity {sensitivity}: missed {100 * missed:.1f} %, false per hour {n:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=3.0, help="of sound at most, for each of fitting and scoring")
    hours = parser.parse_args().hours
    known, lines = phrases(60)
    with tempfile.TemporaryDirectory() as folder:
        train = Part("train", hours, known, lines, pathlib.Path(folder))
        weights, bias = fit(train, len(known), len(lines))
        text = "# How evidence of a wake phrase is weighed; made by models/train/wake.py.\n" + f"bias {bias:.4f}\n"
        text += "".join(f"{name} {weight:.4f}\n" for name, weight in zip(EVIDENCE, weights) if weight)
        (MODEL / "wake.txt").write_text(text)
        report(Part("score", hours, known, lines, pathlib.Path(folder)), known, weights, bias)


if __name__ == "__main__":
    main()
