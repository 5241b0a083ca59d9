"""How evidence of a sentence is weighed: fits sentence.txt of the model to sentences by voices that it was trained with, and to other talk of people who had
a part in the training.

    cargo build --release --workspace --bin ears && python sentence.py [EVIDENCE]

Neither the voices nor the people of the score card and of the benchmarks are heard. EVIDENCE is what `ears evidence=FILE` wrote; without it that is done now."""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from scipy.optimize import minimize

from paths import MODEL, ROOT

#: As verdict.rs has them.
EVIDENCE = ("margin", "total", "per_phone", "worst", "second", "third", "worst_sum", "phones", "agrees", "begun", "differs", "fast")
#: A sentence of somebody who did not mean the speaker counts as much as so many that it did not understand.
OTHERS_COUNT = 4.0
RIDGE = 0.5
#: What is weighed; that synthetic voices talk faster than people is an accident.
WEIGHED = EVIDENCE[:-1]


def read(file):
    """(number of the sound, meant for the speaker, right, evidence) of everything that was weighed."""
    rows = [line.split("\t")[: 3 + len(EVIDENCE)] for line in pathlib.Path(file).read_text().splitlines()]
    a = np.array(rows, float)
    return a[:, 0].astype(int), a[:, 1] > 0, a[:, 2] > 0, a[:, 3:]


def fit(sound, said, right, x):
    """Weights and bias; every sound counts once, however often it was looked at."""
    _, place, n = np.unique(sound, return_inverse=True, return_counts=True)
    weight = np.where(said, 1.0, OTHERS_COUNT) / n[place]
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    a, y = np.c_[(x - mean) / deviation, np.ones(len(x))], right.astype(float)
    ridge = np.r_[np.full(x.shape[1], RIDGE), 0.0]

    def cost(v):
        s = a @ v
        p = 1 / (1 + np.exp(-np.clip(s, -40, 40)))
        return (weight * (np.logaddexp(0, s) - y * s)).sum() + (ridge * v * v).sum() / 2, a.T @ (weight * (p - y)) + ridge * v

    v = minimize(cost, np.zeros(a.shape[1]), jac=True, method="L-BFGS-B").x
    weights = v[:-1] / deviation
    return weights, v[-1] - weights @ mean


def report(sound, said, right, x, weights, bias):
    sure = x @ weights + bias > 0
    for name, which in (("meant for the speaker", said), ("other talk", ~said)):
        of = lambda it: len(np.unique(sound[which & it]))
        print(f"{name}: {of(which)} sounds, sure and right {of(sure & right)}, sure and wrong {of(sure & ~right)}, right but unsure {of(~sure & right)}")


def main(file=None):
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            file = pathlib.Path(folder) / "evidence.tsv"
            target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
            subprocess.run([target / "release/ears", f"evidence={file}", f"model={MODEL}"], check=True)
        data = read(file)
    sound, said, right, x = data
    weights, bias = fit(sound, said, right, x[:, : len(WEIGHED)])
    weights = np.r_[weights, np.zeros(len(EVIDENCE) - len(WEIGHED))]
    report(*data, weights, bias)
    text = "# How evidence of a sentence is weighed; made by models/train/sentence.py.\n" + f"bias {bias:.4f}\n"
    text += "".join(f"{name} {weight:.4f}\n" for name, weight in zip(EVIDENCE, weights))
    (MODEL / "sentence.txt").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
