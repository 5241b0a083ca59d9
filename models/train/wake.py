"""How evidence of a wake phrase is weighed: fits wake.txt of the model to recordings of people and to synthetic voices, writes background.bin, with which
every phrase is set to the same rate of false wakes, and scores both on other people.

    cargo build --release -p speech --example wake_evidence && python wake.py

People in the score quarter are only scored. One small network serves all phrases (speech/src/weigh.rs): it is fitted to tell calls from other talk with a
threshold of its own for each of a hundred phrases. The background is people who read English aloud and with whom the acoustic model was not trained."""

import argparse
import os
import pathlib
import pickle
import random
import subprocess
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
from scipy.signal import fftconvolve

import lexicon as L
import people
import phones
import voices as V
from paths import CORPUS, MODEL, RECORDINGS, ROOT

SAID_BY_PEOPLE = ("wake_keywords", "wake_custom", "wake_community")
READ = "speech_english"
OTHER_TALK = ("commands_coffee", READ, "speech_mandarin")
#: Of each shard of synthetic voices, so many sentences.
SHARDS = {"en-espeak": 1900, "en-flite": 400, "en-festival": 400, "de-espeak": 200, "zh-espeak": 200}
CONDITIONS = ("clean", "10 dB", "5 dB", "room", "talk")
#: Phrases of these recordings count in the score card.
KEYWORDS = "alexa|computer|jarvis|smart mirror|snowboy|view glass".split("|")
#: Said by nobody in the recordings.
LONG = "good evening library|hello operator|hey telephone exchange|okay little sister".split("|")
ORDERS = ("coffee|espresso|cappuccino|americano|latte|mocha|sugar|dark roast|medium roast|light roast|double shot|triple shot|single shot|iced coffee|"
          "drip coffee|house coffee|iced mocha|cream|medium|large|small").split("|")
N_CUT = 80
#: As weigh.rs has them.
GIVEN = ("total", "per_phone", "per_frame", "worst", "second", "third", "worst_sum", "sharp", "sharp_worst", "slow", "fast", "longest", "expected",
         "phones", "quiet_before", "quiet_just_before")
PIECES, LOOKS, JUDGES, KIND = 24, 16, 16, 3
RECORD = np.dtype([("row", "<u4"), ("phrase", "<u4"), ("start", "<i4"), ("end", "<i4"), ("given", "<f4", len(GIVEN)), ("piece", "<f4", (PIECES, 4))])
#: Other talk is learned from where it looks most like the phrase.
HARDEST = 1500
RANKS = slice(2, 24)
#: False wakes per hour of the default, and what one costs in the fit against a call that is missed.
PER_HOUR, COST = 0.5, 0.15
#: Phrases of so many phones may wake falsely 2.5 times less often.
LONG_PHONES = 10
#: Steps of the background's outputs, and how many there are.
STEP, STEPS = 0.4, 15


def trimmed(sound):
    """Without the quiet at both ends: what is 35 dB below the loudest 10 ms."""
    power = (sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2).sum(1)
    if not len(power) or power.max() <= 0:
        return sound
    loud = np.flatnonzero(power > 0.000316 * power.max())
    return sound[max(0, loud[0] - 2) * 160 : (loud[-1] + 3) * 160]


def level(sound):
    """Of the loud frames, dBFS."""
    frames = np.resize(sound, (max(1, len(sound) // 320), 320))
    power = (frames**2).mean(1)
    return 10 * np.log10(power[power >= 0.003 * power.max()].mean() + 1e-12)


def rows(folder, part):
    return [it for it in people.manifest(folder) if people.scores(folder, it) == (part == "score")]


class Mixer:
    """Noise, rooms and readers of one part of the people."""

    def __init__(self, part, rng):
        self.rng = rng
        sounds = lambda folder: [people.load(RECORDINGS / folder / it["file"]) for it in rows(folder, part)]
        self.noises = [it for it in sounds("noise") if level(it) > -80]
        self.rooms = [it[max(0, np.flatnonzero(np.abs(it) > 0.3 * np.abs(it).max())[0] - 32) :] for it in sounds("room_responses")]
        self.readers = [trimmed(it) for it in sounds(READ)]

    def piece(self, pool, n):
        it = pool[self.rng.integers(len(pool))]
        return np.resize(np.roll(it, -self.rng.integers(len(it))), n), it

    def mix(self, voice, condition):
        """The voice with half a second before and after it, as 16-bit samples."""
        loud = level(voice)
        sound = np.concatenate([np.zeros(V.RATE // 2, np.float32), voice, np.zeros(2 * V.RATE // 5, np.float32)])
        if condition == "room":
            room = self.rooms[self.rng.integers(len(self.rooms))]
            sound = fftconvolve(sound, room)[: len(sound)]
            sound = sound * 10 ** ((loud - level(sound)) / 20)
        if condition in ("10 dB", "5 dB", "room"):
            noise, _ = self.piece(self.noises, len(sound))
            below = 5 if condition == "5 dB" else 10
            gain = 10 ** ((loud - below - 10 * np.log10((noise**2).mean() + 1e-12)) / 20)
            sound = sound + np.clip(gain * noise, -0.5, 0.5)
        if condition == "talk":
            talk, reader = self.piece(self.readers, len(sound))
            sound = sound + talk * 10 ** ((loud - 5 - level(reader)) / 20)
        sound = sound + 2e-4 * (self.rng.random(len(sound)) - 0.5)
        return (np.clip(sound, -1, 1) * 32767).astype("<i2")


def phrases():
    """Those that people said, those of coffee orders, and some cut out of the synthetic sentences."""
    said = {it["label"].lower() for f in SAID_BY_PEOPLE for it in people.manifest(f) if not it["file"].startswith("neg")}
    lexicon, pick, cut = L.read(MODEL, "en"), random.Random(4), {}
    for shard in (it for it in SHARDS if it.startswith("en") and (CORPUS / f"{it}.pkl").exists()):
        for text in (row["text"] for row in pickle.loads((CORPUS / f"{shard}.pkl").read_bytes())):
            words = text.split()
            for n in (1, 2, 3):
                for at in range(len(words) - n + 1):
                    part = words[at : at + n]
                    if all(it in lexicon and it.isalpha() for it in part) and 5 <= sum(len(lexicon[it][0]) for it in part) <= 14:
                        cut[" ".join(part)] = cut.get(" ".join(part), 0) + 1
    often = sorted(it for it in cut if cut[it] >= 25)
    return sorted(said), ORDERS, LONG, pick.sample(often, min(N_CUT, len(often)))


class Part:
    """The evidence in the recordings of one part of the people."""

    def __init__(self, part, names, common, folder, synthetic):
        rng = np.random.default_rng(7)
        mixer, names = Mixer(part, rng), list(names)
        self.names, self.text, self.person, self.folder, self.condition, self.hours = names, [], [], [], [], []
        with open(folder / "sound.raw", "wb") as sound, open(folder / "lengths.tsv", "w") as lengths:

            def add(voice, condition, text, person, source):
                samples = mixer.mix(voice, condition)
                sound.write(samples.tobytes())
                print(source, len(samples), sep="\t", file=lengths)
                for slot, value in zip((self.text, self.person, self.folder, self.condition, self.hours), (f" {text} ", person, source, condition, len(samples) / V.RATE / 3600)):
                    slot.append(value)

            for f in SAID_BY_PEOPLE + OTHER_TALK:
                for row in rows(f, part):
                    said = f in SAID_BY_PEOPLE
                    voice = trimmed(people.load(RECORDINGS / f / row["file"]))
                    for condition in CONDITIONS:
                        add(voice, condition, row["label"].lower() if said else "", True, f)
            for shard, n in SHARDS.items() if synthetic else ():
                if not (CORPUS / f"{shard}.pkl").exists():
                    continue
                meta, pcm = pickle.loads((CORPUS / f"{shard}.pkl").read_bytes()), np.memmap(CORPUS / f"{shard}.pcm", "<i2", "r")
                for at in rng.permutation(len(meta))[:n]:
                    voice = trimmed(pcm[meta[at]["offset"] :][: meta[at]["n"]].astype(np.float32) / 32768)
                    if len(voice) > V.RATE // 10:
                        add(voice, CONDITIONS[rng.integers(len(CONDITIONS))], meta[at]["text"], False, shard)
        self.person, self.folder, self.condition, self.hours = map(np.array, (self.person, self.folder, self.condition, self.hours))
        (folder / "phrases.txt").write_text("\n".join(names))
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        tool = [str(target / "release/examples/wake_evidence")]
        with open(folder / "sound.raw", "rb") as sound, open(folder / "outputs", "wb") as outputs:
            subprocess.run([*tool, "outputs", MODEL, folder / "lengths.tsv"], stdin=sound, stdout=outputs, check=True)
        with open(folder / "outputs", "rb") as outputs, open(folder / "records", "wb") as records:
            arguments = ["evidence", MODEL, folder / "lengths.tsv", folder / "phrases.txt", "en"]
            subprocess.run([*tool, *arguments], stdin=outputs, stdout=records, check=True)
        every = np.memmap(folder / "records", RECORD, "r")
        self.said = np.array([[f" {name} " in text for text in self.text] for name in names])
        # What people say in orders is not written down word for word, and readers say common words.
        self.counts = ~self.said
        for at, name in enumerate(names):
            if name in common:
                self.counts[at] &= self.folder != "commands_coffee"
            if name in common and name not in ORDERS:
                self.counts[at] &= self.folder != READ
        keep = [self.hardest(every, at) for at in range(len(names))]
        self.records, self.called = np.concatenate([it[0] for it in keep]), np.concatenate([it[1] for it in keep])
        self.phrase, self.row = self.records["phrase"].astype(int), self.records["row"].astype(int)
        self.seen = seen(self.records)

    def hardest(self, every, at):
        """Of one phrase the best sighting of each call, and the other talk that is most like it."""
        at_all = np.flatnonzero(every["phrase"] == at)
        row, given = every["row"][at_all], every["given"][at_all]
        likely = 3 * given[:, 1] + 0.5 * given[:, 3]
        calls = np.flatnonzero(self.said[at][row])
        calls = calls[surest(row[calls], likely[calls])]
        others = np.flatnonzero(self.counts[at][row])
        best = {int(it) for key in (likely, given[:, 0], given[:, 1]) for it in others[np.argsort(-key[others])[:HARDEST]]}
        others = np.array(sorted(best), int)
        return every[at_all[np.r_[calls, others]]], np.r_[np.ones(len(calls), bool), np.zeros(len(others), bool)]

    def other_hours(self, at, only=True):
        return self.hours[self.counts[at] & only].sum()


def surest(groups, scores):
    """The place of the best score of each group."""
    order = np.lexsort((-scores, groups))
    return order[np.r_[True, np.diff(groups[order]) != 0]] if len(order) else order


def seen(records):
    """What weigh.rs makes of a record: values of each phone, which it is, whether it counts, and what is given for the whole."""
    piece = records["piece"]
    phone, frames, worth, sharp = (piece[:, :, it] for it in range(4))
    counts = (phone > 0) & (frames > 0)
    frames, worth, sharp = np.maximum(frames, 1), np.clip(worth, -20, 20), np.clip(sharp, -40, 2)
    own = [worth / 4, np.clip(worth / frames, -6, 3), np.sqrt(np.maximum(-sharp, 0)), np.clip(sharp / frames, -8, 0) / 2, np.log(frames), np.log(frames) ** 2]
    own = np.where(counts[..., None], np.stack(own, -1), 0).astype(np.float32)
    return own, np.where(counts, phone, 0).astype(np.int32), counts.astype(np.float32), np.clip(records["given"], -30, 30).astype(np.float32)


def weigh(net, own, kind, counts, given):
    none = jnp.zeros_like(own[:, :1, :2])
    before, after = jnp.concatenate([none, own[:, :-1, :2]], 1), jnp.concatenate([own[:, 1:, :2], none], 1)
    look = jnp.concatenate([own, net["kind"][kind], before, after], -1)
    looks = jax.nn.relu(look @ net["look"][:-1] + net["look"][-1]) * counts[..., None]
    total, n = looks.sum(1), counts.sum(1, keepdims=True).clip(1)
    pool = jnp.concatenate([total / n, total / 6, given], -1)
    return jax.nn.relu(pool @ net["judge"][:-1] + net["judge"][-1]) @ net["out"] + pool @ net["direct"]


def fit(part, epochs=12, size=2048, rate=3e-3):
    """The network, its scale, and what it makes of other evidence."""
    own, kind, counts, given = part.seen
    mean, deviation = given.mean(0), given.std(0) + 1e-3
    scale = lambda it: (it[0], it[1], it[2], (it[3] - mean) / deviation)
    seen, called, phrase = scale(part.seen), part.called.astype(np.float32), part.phrase
    n_calls = np.bincount(phrase[part.called], minlength=len(part.names))
    hours = np.array([part.other_hours(it) for it in range(len(part.names))])
    important = np.sqrt(n_calls)[phrase]
    weight = important * np.where(part.called, 1 / np.maximum(n_calls, 1)[phrase], COST / (PER_HOUR * np.maximum(hours, 0.5))[phrase])
    use = np.flatnonzero(n_calls[phrase] >= 3)
    weight = (weight / weight[use].mean()).astype(np.float32)
    keys, n_pool, n_look = jax.random.split(jax.random.PRNGKey(0), 3), 2 * LOOKS + len(GIVEN), 6 + KIND + 4
    constant = lambda it: jnp.concatenate([it, jnp.zeros((1, it.shape[1]))])
    net = {"kind": jax.random.normal(keys[0], (phones.N_PHONES, KIND)) * 0.3, "look": constant(jax.random.normal(keys[1], (n_look, LOOKS)) / n_look**0.5),
           "judge": constant(jax.random.normal(keys[2], (n_pool, JUDGES)) * 0.15), "out": jnp.zeros(JUDGES), "direct": jnp.zeros(n_pool)}
    state = (net, jnp.full(len(part.names), -2.0))
    first = second = jax.tree.map(jnp.zeros_like, state)
    n_steps = epochs * (len(use) // size)

    def cost(state, seen, phrase, called, weight):
        net, bias = state
        score = weigh(net, *seen) + bias[phrase]
        wrong = (weight * jnp.where(called > 0, jax.nn.softplus(-score), jax.nn.softplus(score))).mean()
        return wrong + 1e-4 * sum((it**2).sum() for it in net.values()) + 1e-4 * (bias**2).mean()

    @jax.jit
    def step(state, first, second, t, *batch):
        gradient = jax.grad(cost)(state, *batch)
        first = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, first, gradient)
        second = jax.tree.map(lambda a, b: 0.99 * a + 0.01 * b * b, second, gradient)
        now = rate * jnp.minimum(1, t / 50) * (1 - t / (n_steps + 1))
        move = lambda it, a, b: it - now * (a / (1 - 0.9**t)) / (jnp.sqrt(b / (1 - 0.99**t)) + 1e-6)
        return jax.tree.map(move, state, first, second), first, second

    rng, t = np.random.default_rng(0), 0
    for _ in range(epochs):
        order = rng.permutation(use)
        for at in range(0, len(order) - size + 1, size):
            k, t = order[at : at + size], t + 1
            state, first, second = step(state, first, second, float(t), tuple(it[k] for it in seen), phrase[k], called[k], weight[k])
    run = jax.jit(weigh)
    chunks = lambda it: [tuple(x[at : at + 65536] for x in scale(it)) for at in range(0, len(it[0]), 65536)]
    apply = lambda it: np.concatenate([np.asarray(run(state[0], *chunk)) for chunk in chunks(it)])
    return jax.tree.map(np.asarray, state[0]), mean, deviation, apply


def told(scores, hours, tail, floor, per_hour):
    """The threshold of a phrase, as weigh.rs has it."""
    top = np.sort(scores)[::-1][: RANKS.stop]
    at = top + np.log((np.arange(len(top)) + 0.5) / (hours * per_hour)) / tail
    at = np.maximum(at[RANKS.start :], floor)
    n = RANKS.stop - RANKS.start
    return (at.sum() + (n - len(at)) * floor) / n


def steepness(part, scores, which):
    """By what rate false wakes get rarer for each logit, over all phrases."""
    over = []
    for at in which:
        top = np.sort(scores[(part.phrase == at) & ~part.called])[::-1]
        n = max(12, round(part.other_hours(at) * 12))
        if len(top) > n:
            over += list(top[2:n] - top[n])
    return 1 / np.mean(over)


def background(part, folder):
    """Writes background.bin; tells which rows are in it."""
    inside, n = np.zeros(len(part.hours), bool), 2 * phones.N_PHONES
    with open(folder / "outputs", "rb") as outputs, open(MODEL / "background.bin", "wb") as file:
        file.write(b"HARKTALK" + np.uint32(n).tobytes())
        reading = 0
        for row in range(len(part.hours)):
            frames = int(np.frombuffer(outputs.read(4), "<u4")[0])
            x = np.frombuffer(outputs.read(4 * n * frames), "<f4").reshape(frames, n)
            if part.folder[row] != READ:
                continue
            reading += 1
            # Each recording once, its condition in turn.
            if CONDITIONS.index(part.condition[row]) != (reading - 1) // len(CONDITIONS) % len(CONDITIONS):
                continue
            steps = np.clip(np.round((x.max(1, keepdims=True) - x) / STEP), 0, STEPS).astype(np.uint8)
            steps = np.pad(steps, ((0, 0), (0, n % 2)))
            file.write(np.uint32(frames).tobytes() + (steps[:, ::2] | steps[:, 1::2] << 4).tobytes())
            inside[row] = True
    return inside


def thresholds(part, scores, inside, tail, floor, per_hour):
    hours = part.hours[inside].sum()
    other = ~part.called & inside[part.row]
    long = [np.median(np.exp(part.records["given"][part.phrase == at, GIVEN.index("phones")])) > LONG_PHONES - 0.5 for at in range(len(part.names))]
    return np.array([told(scores[(part.phrase == at) & other], hours, tail, floor, per_hour / (2.5 if long[at] else 1)) for at in range(len(part.names))])


def false_per_hour(part, scores, which, above=0.0):
    n = sum(((part.phrase == it) & ~part.called & (scores > above) & part.person[part.row]).sum() for it in which)
    return n / max(1e-9, sum(part.other_hours(it, part.person) for it in which))


def mean_rate(part, scores, which):
    """Over phrases; one whose neighbours were recorded on purpose does not count for more than it may be worth."""
    return np.mean([min(false_per_hour(part, scores, [it]), 4 * PER_HOUR) for it in which])


def write(net, mean, deviation, tail, floor, per_hour):
    line = lambda name, values: f"{name} " + " ".join(f"{float(it):.4g}" for it in np.ravel(values)) + "\n"
    text = "# How evidence of a wake phrase is weighed; made by models/train/wake.py, read by speech/src/weigh.rs.\n"
    text += line("per_hour", [per_hour]) + line("tail", [tail]) + line("floor", [floor]) + line("mean", mean) + line("deviation", deviation)
    text += "".join(line("kind", it) for it in net["kind"]) + "".join(line("look", it) for it in net["look"].T)
    judges = np.concatenate([net["judge"].T, net["out"][:, None]], 1)
    text += "".join(line("judge", it) for it in judges) + line("direct", net["direct"])
    (MODEL / "wake.txt").write_text(text)


def report(part, scores, which):
    best = np.full((len(part.names), len(part.hours)), -np.inf)
    np.maximum.at(best, (part.phrase[part.called], part.row[part.called]), scores[part.called])
    print("| phrase | " + " | ".join(f"missed, {it}" for it in CONDITIONS) + " | false per hour |\n" + "|---" * (len(CONDITIONS) + 2) + "|")
    exact = np.array([[text == f" {name} " for text in part.text] for name in part.names])
    for name, these in [(part.names[it], [it]) for it in which] + [("all", which)]:
        cells = []
        for condition in CONDITIONS:
            missed = np.concatenate([best[it][exact[it] & (part.condition == condition) & part.person] < 0 for it in these])
            cells.append(f"{100 * missed.mean():.0f} % of {len(missed)}" if len(missed) else "-")
        print(f"| {name} | " + " | ".join(cells) + f" | {false_per_hour(part, scores, these):.2f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=pathlib.Path, help="folder for what is made on the way")
    keep = parser.parse_args().keep
    said, orders, long, cut = phrases()
    names = list(dict.fromkeys([*said, *long, *orders, *cut]))
    common = set(orders) | set(cut)
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(keep or made)
        for it in ("train", "score"):
            (folder / it).mkdir(parents=True, exist_ok=True)
        train = Part("train", names, common, folder / "train", True)
        inside = background(train, folder / "train")
        net, mean, deviation, apply = fit(train)
        scores = apply(train.seen)
        spoken = [at for at, name in enumerate(names) if name not in common]
        tail = steepness(train, scores, spoken)
        # A call that stands alone and clean must be very unsure to be no call, however rare the phrase is.
        clean = train.called & train.person[train.row] & (train.condition[train.row] == "clean") & np.isin(train.phrase, [names.index(it) for it in KEYWORDS])
        floor = np.quantile(scores[clean], 0.01)
        # What the background promises is not quite what all other talk keeps.
        choices = PER_HOUR * 2.0 ** np.arange(3, -8, -0.25)
        rates = [mean_rate(train, scores - thresholds(train, scores, inside, tail, floor, it)[train.phrase], spoken) for it in choices]
        per_hour = next((choice for choice, rate in zip(choices, rates) if rate <= PER_HOUR), choices[-1])
        print(f"tail {tail:.2f}, floor {floor:.2f}, {per_hour:.3f} per hour of the background ({train.hours[inside].sum() * 60:.0f} min)")
        write(net, mean, deviation, tail, floor, per_hour)
        at = thresholds(train, scores, inside, tail, floor, per_hour)
        print("\nThe people of the training:\n")
        report(train, scores - at[train.phrase], spoken)
        score = Part("score", [names[it] for it in spoken], set(), folder / "score", False)
        scores = apply(score.seen)
        print("\nThe others:\n")
        report(score, scores - at[spoken][score.phrase], range(len(spoken)))
        report(score, scores - at[spoken][score.phrase], [score.names.index(it) for it in KEYWORDS])


if __name__ == "__main__":
    main()
