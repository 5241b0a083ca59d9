"""The synthetic voices: espeak-ng and flite through ctypes, festival as a batch. Each gives 16 kHz samples and [(phone, start in s)]."""

import ctypes as C
import pathlib
import re
import subprocess
import tempfile

import numpy as np
import soundfile
import soxr

import phones as P

RATE = 16000
#: Voices that the score build never hears; the shipped build gets them at the very end.
HELD_ESPEAK = "f2 m3 klatt4 Andrea edward linda steph victor Michael grandma".split()
HELD_FLITE, HELD_FESTIVAL = ["rms"], ["ked_diphone"]
FLITE, FESTIVAL = ["slt", "awb", "kal16"], ["kal_diphone", "cmu_us_slt_arctic_hts"]
#: Jokes, whispers and robots.
UNUSABLE = set("Demonic croak UniRobot whisper whisperf anikaRobot Tweaky AnxiousAndy fast kaukovalta Storm".split()) | {"Mr serious"}
ESPEAK_LANGUAGES = {
    "en": ["en-us"] * 10 + ["en-us-nyc"] * 2 + ["en"] * 4 + ["en-gb-x-rp"] * 2 + ["en-gb-scotland", "en-029"],
    "de": ["de"],
    "zh": ["cmn-latn-pinyin"],
}


# ---- espeak-ng

class _Id(C.Union):
    _fields_ = [("number", C.c_int), ("name", C.c_char_p), ("string", C.c_char * 8)]


class _Event(C.Structure):
    _fields_ = [("type", C.c_int), ("unique", C.c_uint), ("text_position", C.c_int), ("length", C.c_int), ("audio_ms", C.c_int),
                ("sample", C.c_int), ("user", C.c_void_p), ("id", _Id)]


_CALLBACK = C.CFUNCTYPE(C.c_int, C.POINTER(C.c_short), C.c_int, C.POINTER(_Event))
_PHONEME_EVENT = 7


class Espeak:
    """One per process."""

    SYNCHRONOUS, PHONEMES_AS_IPA, UTF8 = 2, 0x0003, 1
    PARAM_RATE, PARAM_PITCH, PARAM_RANGE = 1, 3, 4

    def __init__(self):
        self.lib = C.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(self.SYNCHRONOUS, 500, None, self.PHONEMES_AS_IPA)
        self.sound, self.events = [], []
        self.callback = _CALLBACK(self._take)
        self.lib.espeak_SetSynthCallback(self.callback)

    def _take(self, samples, n, events):
        if n > 0:
            self.sound.append(np.ctypeslib.as_array(samples, (n,)).copy())
        i = 0
        while events[i].type != 0:
            if events[i].type == _PHONEME_EVENT:
                self.events.append((events[i].id.string.decode("utf-8", "replace"), events[i].audio_ms / 1000))
            i += 1
        return 0

    def variants(self):
        folder = next(pathlib.Path("/usr/lib").glob("*/espeak-ng-data/voices/!v"))
        return sorted(p.name for p in folder.iterdir() if p.name not in UNUSABLE and not re.match("robosoft|RicishayMax", p.name))

    def say(self, text, language, variant="", rate=170, pitch=50, spread=50):
        """(samples, [(phone, start)]), or None when the voice and the variant do not go together or a symbol is unknown."""
        voice = language + ("+" + variant if variant else "")
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        for parameter, value in ((self.PARAM_RATE, rate), (self.PARAM_PITCH, pitch), (self.PARAM_RANGE, spread)):
            self.lib.espeak_SetParameter(parameter, int(value), 0)
        self.sound, self.events = [], []
        raw = text.encode()
        self.lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, self.UTF8, None, None)
        if not self.sound:
            return None
        sound = np.concatenate(self.sound).astype(np.float32) / 32768
        try:
            return soxr.resample(sound, self.rate, RATE, quality="HQ"), read_events(self.events, len(sound) / self.rate, language)
        except KeyError:
            return None


def read_events(events, end, language):
    """espeak-ng's phoneme events as [(phone, start)]: a pause is SIL, the symbols between two pauses are read in one go."""
    out, run = [], []

    def flush(until):
        text = "".join(s for s, _ in run)
        owner = [k for k, (s, _) in enumerate(run) for _ in s]
        starts = [t for _, t in run] + [until]
        found = [(p, owner[at]) for p, at in P.read_ipa(text, language)]
        for i, (phone, k) in enumerate(found):
            siblings = [j for j, (_, o) in enumerate(found) if o == k]
            share = siblings.index(i) / len(siblings) * 0.8
            if not out or out[-1][0] != phone:
                out.append((phone, starts[k] + (starts[k + 1] - starts[k]) * share))
        run.clear()

    for symbol, start in events:
        if symbol:
            run.append((symbol, start))
            continue
        if run:
            flush(start)
        if not out or out[-1][0] != "SIL":
            out.append(("SIL", start))
    if run:
        flush(end)
    return out


# ---- flite and festival: American English with radio phones

_RADIO = {"pau": "SIL", "h#": "SIL", "brth": "SIL", "ssil": "SIL", "axr": "ER", "hv": "HH", "dx": "T", "nx": "N", "el": "AX L", "em": "AX M", "en": "AX N"}


def read_radio(segments):
    """[(radio phone, start, end)] as [(phone, start)]; None when a symbol is unknown."""
    out = []
    for symbol, start, end in segments:
        names = _RADIO.get(symbol, symbol.upper()).split()
        for j, name in enumerate(names):
            if name not in P.INDEX:
                return None
            if not out or out[-1][0] != name:
                out.append((name, start + (end - start) * j / len(names)))
    return out


class _Wave(C.Structure):
    _fields_ = [("type", C.c_char_p), ("rate", C.c_int), ("n", C.c_int), ("channels", C.c_int), ("samples", C.POINTER(C.c_short))]


class _Voice(C.Structure):
    _fields_ = [("name", C.c_char_p), ("features", C.c_void_p)]


class Flite:
    def __init__(self):
        self.lib = C.CDLL("libflite.so.1", mode=C.RTLD_GLOBAL)
        C.CDLL("libflite_usenglish.so.1", mode=C.RTLD_GLOBAL)
        C.CDLL("libflite_cmulex.so.1", mode=C.RTLD_GLOBAL)
        for name, result, arguments in [
            ("flite_synth_text", C.c_void_p, [C.c_char_p, C.c_void_p]), ("utt_wave", C.POINTER(_Wave), [C.c_void_p]),
            ("utt_relation", C.c_void_p, [C.c_void_p, C.c_char_p]), ("relation_head", C.c_void_p, [C.c_void_p]),
            ("item_next", C.c_void_p, [C.c_void_p]), ("item_feat_string", C.c_char_p, [C.c_void_p, C.c_char_p]),
            ("item_feat_float", C.c_float, [C.c_void_p, C.c_char_p]), ("delete_utterance", None, [C.c_void_p]),
            ("feat_set_float", None, [C.c_void_p, C.c_char_p, C.c_float])]:
            getattr(self.lib, name).restype, getattr(self.lib, name).argtypes = result, arguments
        self.lib.flite_init()
        self.voices = {}

    def say(self, text, name, stretch=1.0, pitch_hz=None):
        if name not in self.voices:
            register = getattr(C.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            register.restype, register.argtypes = C.POINTER(_Voice), [C.c_char_p]
            self.voices[name] = register(None)
        voice = self.voices[name]
        self.lib.feat_set_float(voice.contents.features, b"duration_stretch", stretch)
        if pitch_hz:
            self.lib.feat_set_float(voice.contents.features, b"int_f0_target_mean", pitch_hz)
        utterance = self.lib.flite_synth_text(text.encode(), C.cast(voice, C.c_void_p))
        wave = self.lib.utt_wave(utterance).contents
        sound = np.ctypeslib.as_array(wave.samples, (wave.n,)).astype(np.float32) / 32768
        segments, start = [], 0.0
        item = self.lib.relation_head(self.lib.utt_relation(utterance, b"Segment"))
        while item:
            end = self.lib.item_feat_float(item, b"end")
            segments.append((self.lib.item_feat_string(item, b"name").decode(), start, end))
            start, item = end, self.lib.item_next(item)
        rate = wave.rate
        self.lib.delete_utterance(utterance)
        return soxr.resample(sound, rate, RATE) if rate != RATE else sound, read_radio(segments)


def festival(voice, sentences):
    """Yields (samples, [(phone, start)]) or None for each sentence, from one festival process."""
    with tempfile.TemporaryDirectory() as folder:
        job = pathlib.Path(folder, "job.scm")
        lines = [f"(voice_{voice})"]
        for i, text in enumerate(sentences):
            lines.append(f'(set! u (SynthText "{text}"))\n(utt.wave.resample u {RATE})')
            lines.append(f'(utt.save.wave u "{folder}/{i}.wav" \'riff)\n(utt.save.segs u "{folder}/{i}.seg")')
        job.write_text("\n".join(lines))
        subprocess.run(["festival", "-b", job], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for i in range(len(sentences)):
            if not pathlib.Path(folder, f"{i}.seg").exists():
                yield None
                continue
            sound, _ = soundfile.read(f"{folder}/{i}.wav", dtype="float32")
            segments, start = [], 0.0
            for line in pathlib.Path(folder, f"{i}.seg").read_text().splitlines():
                if m := re.match(r"\s*([\d.]+)\s+\d+\s+(\S+)", line):
                    segments.append((m[2], start, float(m[1])))
                    start = float(m[1])
            yield sound, read_radio(segments)
