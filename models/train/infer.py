"""The trained network in numpy, for choosing transcripts and for scoring."""

import numpy as np

import network


def outputs(f, frames):
    """Log likelihoods (T / 3, pdfs) of MFCC frames (T, 40) by a folded network."""
    n_layers, length = len(f["layers"]), (len(frames) + 2) // 3
    context = 3 * n_layers + network.SPLICE
    x = np.pad((frames - f["mean"]) * f["istd"], ((context, context + 3), (0, 0)), mode="edge").astype(np.float32)
    wide = length + 2 * n_layers
    parts = [x[o : o + 3 * (wide - 1) + 1 : 3][:wide] for o in range(2 * network.SPLICE + 1)]
    h = np.maximum(np.concatenate([np.pad(p, ((0, wide - len(p)), (0, 0)), mode="edge") for p in parts], -1) @ f["W0"].T + f["b0"], 0)
    for linear, W, b in f["layers"]:
        z = np.concatenate([h[:-1], h[1:]], -1) @ linear.T
        y = np.maximum(np.concatenate([z[:-1], z[1:]], -1) @ W.T + b, 0)
        h = network.BYPASS * h[1:-1] + y
    return np.maximum(h @ f["Wp"].T + f["bp"], 0) @ f["Wo"].T + f["bo"]


def best_path(out, sequences):
    """The score of the best path through each phone sequence (lists without silence), silence optional between any two phones."""
    most = max(map(len, sequences))
    ids = np.full((len(sequences), 2 * most + 1), 0)
    for i, s in enumerate(sequences):
        ids[i, 1 : 2 * len(s) : 2] = s
    last = np.array([2 * len(s) for s in sequences])
    spoken = ids != 0
    worst = np.float32(-1e30)
    first, more = out[:, 2 * ids], out[:, 2 * ids + 1]
    a = np.full(ids.shape, worst, np.float32)
    a[:, 0], a[:, 1] = first[0][:, 0], first[0][:, 1]
    for t in range(1, len(out)):
        one = np.pad(a[:, :-1], ((0, 0), (1, 0)), constant_values=worst)
        two = np.where(spoken, np.pad(a[:, :-2], ((0, 0), (2, 0)), constant_values=worst), worst)
        a = np.maximum(a + more[t], np.maximum(np.where(spoken, one, one - 1.0), two) + first[t])
    rows = np.arange(len(sequences))
    return np.maximum(a[rows, last], a[rows, last - 1])
