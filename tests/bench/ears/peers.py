"""Lets other spotters look for wake phrases in the same streams: microWakeWord ("alexa") and PocketSphinx (keyword spotting).

usage: peers.py JOBS     JOBS: a JSON list of {"engine", "wav", "out", "phrases"}; each `out` gets {"events": [[ms, phrase, score]], "cpu_s", "seconds"}.
Scores are what the engine's own threshold is compared with: a probability, or the logarithm (base 10) of a likelihood ratio.
"""
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
import wave

# Sounds of words that PocketSphinx's dictionary does not have.
SOUNDS = {"snowboy": "S N OW B OY", "hadouken": "HH AH D OW K EH N", "fenrir": "F EH N R IH R", "dracarys": "D R AH K AA R IH S"}
# Detections that are less likely than this are not told.
LOWEST = 1e-60
# Hits of one phrase within this are one, of which the best counts, ms.
APART = 1000


def peaks(events):
    """The best of what stands close together."""
    best = []
    for at, phrase, score in sorted(events):
        last = next((it for it in reversed(best) if it[1] == phrase), None)
        if last is None or at - last[3] > APART:
            best.append([at, phrase, score, at])
        else:
            last[3] = at
            if score > last[2]:
                last[0], last[2] = at, score
    return [it[:3] for it in best]


def micro(samples, phrases):
    """microWakeWord: the mean of the last probabilities, as its own threshold sees it."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    spotter, features, events = MicroWakeWord.from_builtin(Model.ALEXA), MicroWakeWordFeatures(), []
    for at in range(0, len(samples) - 319, 320):
        for frame in features.process_streaming(samples[at : at + 320]):
            score = spotter.process_streaming_prob(frame)
            if score and score > 0.05:
                events.append((at // 32, "alexa", float(score)))
    return peaks(events)


def sphinx(samples, phrases):
    """PocketSphinx with a threshold that lets nearly everything through; what each detection is worth is told with it."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, loglevel="FATAL")
    for word, sounds in SOUNDS.items():
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, sounds, True)
    known = [it for it in phrases if all(decoder.lookup_word(word) for word in it.split())]
    with tempfile.NamedTemporaryFile("w", suffix=".list") as keys:
        keys.write("".join(f"{it} /{LOWEST}/\n" for it in known))
        keys.flush()
        decoder.add_kws("phrases", keys.name)
    decoder.activate_search("phrases")
    decoder.start_utt()
    for at in range(0, len(samples), 32000):
        decoder.process_raw(samples[at : at + 32000])
    decoder.end_utt()
    # It keeps log likelihoods in steps of 1.0001 ** 1024, and takes 1500 of them from what it tells.
    score = lambda it: 1024 * (math.log10(it.prob) + 1500 * math.log10(1.0001))
    return peaks([((it.start_frame + it.end_frame) * 5, it.word.strip(), score(it)) for it in decoder.seg() or []])


def work(job):
    with wave.open(job["wav"]) as file:
        samples = file.readframes(file.getnframes())
    begin = time.process_time()
    events = {"microWakeWord": micro, "PocketSphinx": sphinx}[job["engine"]](samples, job["phrases"])
    result = {"events": events, "cpu_s": time.process_time() - begin, "seconds": len(samples) / 32000}
    with open(job["out"] + ".new", "w") as out:
        json.dump(result, out)
    os.replace(job["out"] + ".new", job["out"])
    return job["engine"]


def main():
    jobs = json.load(open(sys.argv[1]))
    with multiprocessing.Pool(min(len(jobs), os.cpu_count() or 1)) as pool:
        for done, engine in enumerate(pool.imap_unordered(work, jobs), 1):
            print(f"{done} of {len(jobs)} streams ({engine})", flush=True)


if __name__ == "__main__":
    main()
