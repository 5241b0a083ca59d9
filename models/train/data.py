"""Batches for training: features with their phone sequences, distorted afresh each time, prepared in a thread of their own."""

import pickle
import queue
import threading

import numpy as np

from paths import CORPUS, FEATURES
from phones import N_PHONES

#: (output frames, phones with silences) that a batch of short, longer, long utterances may have.
BUCKETS = [(30, 20), (56, 36), (88, 52), (128, 72), (200, 110), (300, 150)]
FRAMES_PER_BATCH = 2560

# MFCC <-> logarithmic mel: Kaldi's DCT and lifter, both 40 x 40 and invertible.
_n = np.arange(40)
_dct = np.sqrt(2 / 40) * np.cos(np.pi / 40 * (_n[None] + 0.5) * _n[:, None])
_dct[0] = np.sqrt(1 / 40)
TO_CEPS = (_dct.T * (1 + 11 * np.sin(np.pi * _n / 22))).astype(np.float32)
FROM_CEPS = np.linalg.inv(TO_CEPS.astype(np.float64)).astype(np.float32)


def distort(frames, rng):
    """Random colouring, grain, blur and masks, so that the network does not lean on what only synthetic voices have."""
    mel = frames @ FROM_CEPS
    n, mean = len(mel), mel.mean(0)
    mel = mel + np.interp(np.arange(40), np.linspace(0, 39, 9), rng.normal(0, 0.5, 9)).astype(np.float32)
    if rng.random() < 0.5:
        mel = mel + rng.standard_normal(mel.shape, np.float32) * np.float32(rng.uniform(0, 0.5))
    if rng.random() < 0.4:
        blur, wide = rng.uniform(-0.12, 0.3), np.pad(mel, ((0, 0), (1, 1)), mode="edge")
        mel = ((1 - blur) * mel + blur * 0.5 * (wide[:, :-2] + wide[:, 2:])).astype(np.float32)
    for _ in range(int(rng.integers(0, 3))):
        width = int(rng.integers(1, 8))
        at = int(rng.integers(0, 40 - width))
        mel[:, at : at + width] = mean[at : at + width]
    for _ in range(int(rng.integers(0, 1 + n // 80))):
        width = int(rng.integers(2, 12))
        at = int(rng.integers(0, max(1, n - width)))
        mel[at : at + width] = mean
    return mel @ TO_CEPS


class Data:
    """All features there are now; `refresh` takes in what was made since, and what a network has chosen for the recordings of people."""

    def __init__(self, shards, people_share):
        self.shards, self.people_share, self.loaded = shards, people_share, {}
        self.refresh()

    def refresh(self):
        path = CORPUS / "people.choice.pkl"
        chosen = pickle.loads(path.read_bytes()) if path.exists() else {}
        for path in sorted(FEATURES.glob("*.pkl")):
            if path.stem not in self.loaded and path.stem.rsplit(".", 1)[0] in self.shards:
                frames = np.memmap(path.with_suffix(".f16"), np.float16, "r").reshape(-1, 40)
                self.loaded[path.stem] = (frames, pickle.loads(path.read_bytes()))
        self.utterances, self.people = [[] for _ in BUCKETS], [[] for _ in BUCKETS]
        for frames, rows in self.loaded.values():
            for row in rows:
                ids = chosen.get(row["key"]) or [p for p, _ in row["segments"]]
                if not ids:
                    continue
                sequence = [0]
                for p in ids:
                    if p or sequence[-1]:
                        sequence.append(p)
                sequence += [0] if sequence[-1] else []
                length = (row["n"] + 2) // 3
                for b, (most_frames, most_phones) in enumerate(BUCKETS):
                    if length <= most_frames and len(sequence) <= most_phones:
                        if len(sequence) < length * 0.9:
                            kind = self.people if row["voice"].startswith("hu:") else self.utterances
                            kind[b].append((frames, row, sequence))
                        break

    def hours(self):
        count = lambda buckets: sum(u[1]["n"] for b in buckets for u in b) / 360000
        return count(self.utterances), count(self.people)

    def normalisation(self):
        rng, every = np.random.default_rng(0), [u for b in self.utterances for u in b]
        some = [every[i] for i in rng.permutation(len(every))[:1000]]
        x = np.concatenate([np.asarray(f[r["offset"] : r["offset"] + r["n"]], np.float32) for f, r, _ in some])
        return x.mean(0), 1 / (x.std(0) + 1e-3)

    def bigram(self):
        """(phone to phone, first phone) over the training sequences, silences included."""
        counts, first = np.full((N_PHONES, N_PHONES), 0.3), np.full(N_PHONES, 0.3)
        for bucket in self.utterances:
            for _, _, sequence in bucket:
                np.add.at(counts, (sequence[:-1], sequence[1:]), 1)
                first[sequence[0]] += 1
                first[sequence[1]] += 1
        return counts / counts.sum(1, keepdims=True), first / first.sum()

    def epoch(self, rng, mean, istd):
        jobs = []
        synthetic, human = (sum(u[1]["n"] for b in kind for u in b) for kind in (self.utterances, self.people))
        times = self.people_share / (1 - self.people_share) * synthetic / human if human and self.people_share else 0
        for b, (most_frames, _) in enumerate(BUCKETS):
            rows, people = self.utterances[b], self.people[b]
            wanted = times * len(people)
            extra = [people[i] for _ in range(int(wanted // max(1, len(people))) + 1) for i in rng.permutation(len(people))][: int(wanted)]
            rows = rows + extra
            size, order = max(4, FRAMES_PER_BATCH // most_frames), rng.permutation(len(rows))
            jobs += [(b, [rows[i] for i in order[j : j + size]]) for j in range(0, len(rows) - size + 1, size)]
        for j in rng.permutation(len(jobs)):
            yield self.batch(*jobs[j], mean, istd, rng)

    def batch(self, bucket, rows, mean, istd, rng):
        most_frames, most_phones = BUCKETS[bucket]
        n = len(rows)
        x = np.zeros((n, 3 * most_frames, 40), np.float32)
        lengths, n_phones = np.zeros(n, np.int32), np.zeros(n, np.int32)
        labels, phones = np.full((n, most_frames), -1, np.int32), np.zeros((n, most_phones), np.int32)
        for i, (frames, row, sequence) in enumerate(rows):
            m = row["n"]
            f = np.asarray(frames[row["offset"] : row["offset"] + m], np.float32)
            if rng.random() < 0.85:
                f = distort(f, rng)
            f = (f - mean) * istd
            x[i, :m], x[i, m:] = f, f[-1]
            length = (m + 2) // 3
            lengths[i], n_phones[i], phones[i, : len(sequence)] = length, len(sequence), sequence
            if not row["voice"].startswith("hu:"):
                labels[i, :length] = frame_labels(row, length)
        return x, lengths, labels, phones, n_phones

    def stream(self, seed, mean, istd, ready=6):
        """Batches without end; the features are looked through again before every epoch."""
        shelf = queue.Queue(ready)  # full: the thread waits

        def fill():
            rng = np.random.default_rng(seed)
            while True:
                for batch in self.epoch(rng, mean, istd):
                    shelf.put(batch)
                self.refresh()

        threading.Thread(target=fill, daemon=True).start()
        while True:
            yield shelf.get()


def frame_labels(row, length):
    """The pdf of every output frame from the times of the synthesiser."""
    times = (np.arange(length) * 3 + 1.25) * 0.01
    starts = np.array([-1.0] + [t for _, t in row["segments"]])
    phone = np.array([0] + [p for p, _ in row["segments"]])
    at = np.searchsorted(starts, times, "right") - 1
    now = np.where(times > row["end"] + 0.02, 0, phone[at])
    return 2 * now + np.where(np.r_[True, at[1:] != at[:-1]], 0, 1)
