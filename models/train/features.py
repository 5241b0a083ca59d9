"""Augmented copies of the corpus as features: FEATURES/SHARD.COPY.f16 (40 MFCCs every 10 ms) and .pkl (the utterances in it)."""

import pickle
import sys
import zlib

import kaldi_native_fbank
import numpy as np
import soxr

import people
from paths import CORPUS, FEATURES, RECORDINGS
from voices import RATE

TEMPI = [0.84, 0.88, 0.92, 0.96, 1.04, 1.08, 1.13, 1.18]
LONGEST_FRAMES = 900
#: From this copy on the people are mostly heard over the telephone.
PEOPLE_BY_TELEPHONE = 12


def mfcc(samples):
    """samples: float32 in the range of int16 -> (frames, 40), as Vosk computes them with conf/mfcc.conf."""
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = RATE, 1.0
    options.use_energy, options.num_ceps = False, 40
    options.mel_opts.num_bins, options.mel_opts.low_freq, options.mel_opts.high_freq = 40, 20, 7600
    online = kaldi_native_fbank.OnlineMfcc(options)
    online.accept_waveform(RATE, samples)
    online.input_finished()
    frames = [online.get_frame(i) for i in range(online.num_frames_ready)]
    return np.stack(frames) if frames else np.zeros((0, 40), np.float32)


# ---- noise and rooms

def coloured(rng, n, slope):
    """Noise with a power spectrum of 1 / f^slope."""
    bins = n // 2 + 1
    spectrum = (rng.standard_normal(bins) + 1j * rng.standard_normal(bins)).astype(np.complex64)
    spectrum *= (np.maximum(np.arange(bins), 4) ** (-slope / 2)).astype(np.float32)
    return np.fft.irfft(spectrum, n).astype(np.float32)


def tones(rng, n):
    """Something like music: notes with harmonics that die away."""
    out, at = np.zeros(n, np.float32), 0
    while at < n:
        end = min(n, at + int(rng.integers(2000, 12000)))
        k = np.arange(end - at) / RATE
        for _ in range(int(rng.integers(1, 4))):
            pitch, decay = 110 * 2 ** (rng.integers(0, 36) / 12), np.exp(-k * rng.uniform(1, 8))
            for h in range(1, int(rng.integers(2, 7))):
                if pitch * h < 7500:
                    out[at:end] += (rng.uniform(0.2, 1) / h * np.sin(2 * np.pi * pitch * h * k + rng.uniform(0, 6)) * decay).astype(np.float32)
        at = end
    return out


def clicks(rng, n):
    """Dishes, steps, doors: bursts over a soft noise."""
    out = coloured(rng, n, 1)
    out /= out.std() + 1e-9
    for _ in range(int(rng.integers(1, 6))):
        at, length = int(rng.integers(n)), int(rng.integers(100, 3000))
        end = min(n, at + length)
        out[at:end] += (rng.standard_normal(end - at) * np.exp(-np.arange(end - at) / (length / 4)) * rng.uniform(3, 15)).astype(np.float32)
    return out


def synthetic_room(rng):
    t60 = rng.uniform(0.1, 0.7)
    n = int(RATE * min(0.5, t60))
    h = rng.standard_normal(n) * np.exp(-6.9 * np.arange(n) / RATE / t60)
    h[: int(rng.integers(20, 80))] = 0
    for _ in range(int(rng.integers(2, 8))):
        h[int(rng.integers(30, min(n, 900)))] += rng.normal() * 2
    h *= 1 / (np.sqrt((h**2).sum()) + 1e-9) / 10 ** (rng.uniform(-3, 14) / 20)
    h[0] += 1
    return h.astype(np.float32)


def equaliser(rng, bins):
    """A smooth random magnitude response, sometimes with a band limit."""
    hz = np.linspace(0, RATE / 2, bins)
    db = np.interp(hz, [0, 150, 400, 900, 1800, 3200, 5000, 8000], rng.normal(0, 4, 8))
    if rng.random() < 0.35:
        db -= np.clip((hz - rng.uniform(3000, 7000)) / 400, 0, 40)
    if rng.random() < 0.35:
        db -= np.clip((rng.uniform(80, 350) - hz) / 40, 0, 30)
    return (10 ** (db / 20)).astype(np.float32)


def telephone(rng, sound):
    """What is left after 8 kHz, and sometimes after the band of an old line."""
    narrow = soxr.resample(sound, RATE, 8000, quality="QQ" if rng.random() < 0.5 else "HQ")
    wide = soxr.resample(narrow, 8000, RATE, quality="HQ")
    wide = np.pad(wide, (0, max(0, len(sound) - len(wide))))[: len(sound)]
    if rng.random() < 0.4:
        n = 1 << int(np.ceil(np.log2(len(wide) + 4000)))
        hz = np.fft.rfftfreq(n, 1 / RATE)
        wide = np.fft.irfft(np.fft.rfft(wide, n) * ((hz > 250) / (1 + (hz / 3500) ** 12)), n)[: len(wide)]
    return wide.astype(np.float32)


class World:
    """The measured rooms and noises that may train, and some voices for babble."""

    def __init__(self, rng, utterances, pcm):
        self.rooms, self.noises = [], []
        for row in people.manifest("room_responses"):
            if not people.scores("room_responses", row):
                h = people.load(RECORDINGS / "room_responses" / row["file"])
                h = h[int(np.abs(h).argmax()) :][: RATE // 2 + RATE // 4]
                self.rooms.append((h / (np.sqrt((h**2).sum()) + 1e-9)).astype(np.float32))
        for row in people.manifest("noise"):
            fold = row["file"].split("__")[-1][0]
            if (fold in "123") if "ESC-10" in row["source_repo"] else not people.scores("noise", row):
                self.noises.append(people.load(RECORDINGS / "noise" / row["file"]))
        some = rng.permutation(len(utterances))[:300]
        self.talkers = [pcm[u["offset"] : u["offset"] + u["n"]].astype(np.float32) / 32768 for u in (utterances[i] for i in some)]

    def looped(self, rng, sound, n):
        return np.resize(np.roll(sound, int(rng.integers(len(sound)))), n)

    def noise(self, rng, n):
        """(noise, range of the signal-to-noise ratio in dB)"""
        k = rng.random()
        if k < 0.25 and self.noises:
            return self.looped(rng, self.noises[int(rng.integers(len(self.noises)))], n), (1, 28)
        if k < 0.40:
            return self.looped(rng, self.talkers[int(rng.integers(len(self.talkers)))], n), (5, 18)
        if k < 0.52:
            return sum(self.looped(rng, self.talkers[int(rng.integers(len(self.talkers)))], n) for _ in range(int(rng.integers(3, 8)))), (2, 28)
        if k < 0.64:
            return tones(rng, n), (1, 28)
        if k < 0.72:
            return clicks(rng, n), (1, 28)
        return coloured(rng, n, rng.choice([0, 0.5, 1, 1.5, 2])), (1, 30)

    def room(self, rng):
        if self.rooms and rng.random() < 0.5:
            return self.rooms[int(rng.integers(len(self.rooms)))]
        return synthetic_room(rng)


def augment(rng, sound, world, tight, by_telephone):
    """(samples in the range of int16, seconds put before, stretch of time)"""
    clean, stretch = rng.random() < 0.15, 1.0
    if rng.random() < (0.3 if clean else 0.6):
        stretch = float(rng.choice(TEMPI))
        sound = soxr.resample(sound, RATE, RATE * stretch, quality="QQ")
    if rng.random() < by_telephone:
        sound = telephone(rng, sound)
    before, after = (rng.uniform(0, 0.1), rng.uniform(0.03, 0.3)) if tight else (rng.uniform(0.05, 0.7), rng.uniform(0.25, 0.8))
    out = np.concatenate([np.zeros(int(before * RATE), np.float32), sound, np.zeros(int(after * RATE), np.float32)])
    n = len(out)
    if not clean and rng.random() < 0.75:
        size = 1 << int(np.ceil(np.log2(n + 12000)))
        spectrum = np.fft.rfft(out, size)
        if rng.random() < 0.6:
            spectrum *= np.fft.rfft(world.room(rng), size)
        if rng.random() < 0.7:
            spectrum *= equaliser(rng, len(spectrum))
        out = np.fft.irfft(spectrum, size)[:n].astype(np.float32)
    power = np.sqrt(np.mean(out[int(before * RATE) : n - int(after * RATE)] ** 2)) + 1e-6
    if not clean and rng.random() < 0.85:
        noise, snr = world.noise(rng, n)
        out = out + noise * (power / (np.sqrt(np.mean(noise**2)) + 1e-9) * 10 ** (-rng.uniform(*snr) / 20))
    out = out / (np.abs(out).max() + 1e-6) * 10 ** (rng.uniform(-34, -0.5) / 20)
    if rng.random() < 0.03:
        out = np.clip(out * rng.uniform(1.5, 4), -0.5, 0.5)
    return (out * 32767).astype(np.float32), before, stretch


def make(shard, copy, seed=7):
    FEATURES.mkdir(parents=True, exist_ok=True)
    with open(CORPUS / f"{shard}.pkl", "rb") as file:
        utterances = pickle.load(file)
    if not utterances:
        return
    pcm = np.memmap(CORPUS / f"{shard}.pcm", np.int16, "r")
    rng = np.random.default_rng([seed, copy, zlib.crc32(shard.encode())])
    by_telephone = 0.6 if shard.endswith("-digits") or (shard == "people" and copy >= PEOPLE_BY_TELEPHONE) else 0.1
    world, rows, frames = World(rng, utterances, pcm), [], 0
    name = f"{shard}.{copy}"
    with open(FEATURES / f"{name}.f16", "wb") as file:
        for u in utterances:
            sound = pcm[u["offset"] : u["offset"] + u["n"]].astype(np.float32) / 32768
            samples, before, stretch = augment(rng, sound, world, u["tight"], by_telephone)
            m = mfcc(samples)
            if not 15 <= len(m) <= LONGEST_FRAMES:
                continue
            file.write(m.astype(np.float16).tobytes())
            rows.append(dict(offset=frames, n=len(m), segments=[(p, t * stretch + before) for p, t in u["segments"]],
                             end=before + u["n"] / RATE * stretch, voice=u["voice"], text=u["text"], key=u.get("key")))
            frames += len(m)
    with open(FEATURES / f"{name}.tmp", "wb") as file:
        pickle.dump(rows, file)
    (FEATURES / f"{name}.tmp").rename(FEATURES / f"{name}.pkl")
    print(f"{name}: {len(rows)} utterances, {frames / 360000:.2f} h", flush=True)


if __name__ == "__main__":
    for job in sys.argv[1:]:
        shard, copy = job.rsplit(".", 1)
        if not (FEATURES / f"{job}.pkl").exists():
            make(shard, int(copy))
