"""The spoken corpus: DATA/corpus/SHARD.pcm (int16, 16 kHz) and SHARD.pkl (a list of utterances). A shard is made once and kept."""

import pickle
import sys
import zlib

import numpy as np

import lexicon as L
import phones as P
import texts
import voices as V
from paths import CORPUS, MODEL, SCALE

#: Shard -> (language, voices, sentences). `held` shards speak with the voices that the score build never hears; `digits` are said one by
#: one, or two, and mostly over the telephone.
SHARDS = {
    "en-espeak": ("en", "espeak", 15000), "de-espeak": ("de", "espeak", 8000), "zh-espeak": ("zh", "espeak", 8000),
    "en-flite": ("en", "flite", 4500), "en-festival": ("en", "festival", 1600),
    "en-espeak-digits": ("en", "espeak-digits", 1500), "en-flite-digits": ("en", "flite-digits", 1500),
    "en-espeak-held": ("en", "espeak-held", 2000), "de-espeak-held": ("de", "espeak-held", 1000), "zh-espeak-held": ("zh", "espeak-held", 1000),
    "en-flite-held": ("en", "flite-held", 900), "en-festival-held": ("en", "festival-held", 500),
}


#: Sentences of the smallest shard.
LEAST = 40


class Shard:
    """Writes utterances: dict(offset, n, text, voice, segments=[(phone index, start s)], tight)."""

    def __init__(self, name):
        CORPUS.mkdir(parents=True, exist_ok=True)
        self.name, self.rows, self.offset = name, [], 0
        self.file = open(CORPUS / f"{name}.pcm", "wb")

    def put(self, said, text, voice, tight):
        if said is None or said[1] is None or len(said[0]) < 2400:
            return
        sound, segments = said
        if tight:
            sound, segments = cut_tight(sound, segments)
        pcm = (np.clip(sound / max(1e-3, np.abs(sound).max()) * 0.7, -1, 1) * 32767).astype(np.int16)
        self.file.write(pcm.tobytes())
        ids = [(P.INDEX[p], t) for p, t in segments]
        self.rows.append(dict(offset=self.offset, n=len(pcm), text=text, voice=voice, segments=ids, tight=tight))
        self.offset += len(pcm)

    def close(self):
        self.file.close()
        with open(CORPUS / f"{self.name}.pkl", "wb") as file:
            pickle.dump(self.rows, file)
        print(f"{self.name}: {len(self.rows)} utterances, {self.offset / V.RATE / 3600:.2f} h", flush=True)


def cut_tight(sound, segments):
    """Without the silence before the first phone and after the last one."""
    spoken = [t for p, t in segments if p != "SIL"]
    if not spoken:
        return sound, segments
    begin = spoken[0]
    end = segments[-1][1] if segments[-1][0] == "SIL" else len(sound) / V.RATE
    kept = [(p, max(0.0, t - begin)) for p, t in segments if p != "SIL" or begin < t < end]
    return sound[int(begin * V.RATE) : int(end * V.RATE)], kept


def synthesise(name):
    language, kind, n = SHARDS[name]
    n = max(LEAST, int(n * SCALE))
    rng = np.random.default_rng([1, zlib.crc32(name.encode())])
    words = sorted(L.read(MODEL, language))
    if language == "zh":
        words = sorted(set(words) | set(L.mandarin_words()))
    writer = texts.Writer(language, rng, words)
    pick = lambda rows: rows[int(rng.integers(len(rows)))]
    held, shard = kind.endswith("-held"), Shard(name)
    engine = kind.split("-")[0]
    sentence = writer.short if kind.endswith("-digits") else writer.sentence
    if engine == "espeak":
        espeak = V.Espeak()
        variants = V.HELD_ESPEAK if held else [v for v in espeak.variants() if v not in V.HELD_ESPEAK] + ["", "", ""]
        for _ in range(n):
            (text, tight), voice, variant = sentence(), pick(V.ESPEAK_LANGUAGES[language]), pick(variants)
            said = " ".join(L.pinyin(text)) if language == "zh" else text
            sound = espeak.say(said, voice, variant, rng.integers(100, 250), rng.integers(15, 90), rng.integers(15, 85))
            shard.put(sound, text, f"es:{voice}+{variant}", tight)
    elif engine == "flite":
        flite, names = V.Flite(), V.HELD_FLITE if held else ["slt"] * 4 + ["awb"] * 3 + ["kal16"] * 2
        for _ in range(n):
            (text, tight), voice = sentence(), pick(names)
            pitch = rng.uniform(140, 230) if voice == "slt" else rng.uniform(85, 150)
            shard.put(flite.say(text, voice, float(rng.uniform(0.75, 1.35)), float(pitch)), text, "fl:" + voice, tight)
    else:
        names = V.HELD_FESTIVAL if held else V.FESTIVAL
        for voice in names:
            rows = [sentence() for _ in range(n // len(names))]
            for (text, tight), said in zip(rows, V.festival(voice, [t for t, _ in rows])):
                shard.put(said, text, "fe:" + voice, tight)
    shard.close()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if not (CORPUS / f"{name}.pkl").exists():
            synthesise(name)
