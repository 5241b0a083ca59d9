"""Decides what people said where several phone sequences are possible: the one that a trained network finds likeliest.

usage: choose.py RUN    writes corpus/people.choice.pkl"""

import pickle
import sys

import numpy as np

import export
import features
import infer
from paths import CORPUS


def main(run):
    f, _ = export.load(run)
    rows = pickle.loads((CORPUS / "people.pkl").read_bytes())
    pcm = np.memmap(CORPUS / "people.pcm", np.int16, "r")
    chosen, changed = {}, 0
    for row in rows:
        choices = row["choices"]
        if len(choices) < 2:
            continue
        out = infer.outputs(f, features.mfcc(pcm[row["offset"] : row["offset"] + row["n"]].astype(np.float32)))
        best = int(np.argmax(infer.best_path(out, choices)))
        chosen[row["key"]] = choices[best]
        changed += best > 0
    (CORPUS / "people.choice.pkl").write_bytes(pickle.dumps(chosen))
    print(f"chose for {len(chosen)} recordings of people, {changed} of them not the first possibility", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
