"""Trains the network: one run of a fixed number of steps, checkpoints on the way, resumed where it stopped.

usage: train.py RUN --steps N [--stop N] [--init RUN] [--held] ...    writes RUNS/RUN.pkl"""

import argparse
import os
import pickle
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import network
from corpus import SHARDS
from data import Data
from paths import RUNS, WORK

jax.config.update("jax_compilation_cache_dir", str(WORK / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 1)

CHECKPOINT_EVERY = 240.0


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--stop", type=int, default=0, help="stop after so many steps, to go on later")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at its highest")
    parser.add_argument("--hold", type=float, default=0.2, help="part of the run at the highest rate; then it falls in a line to a fiftieth")
    parser.add_argument("--drop", type=float, default=0.08)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--bottleneck", type=int, default=96)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--prefinal", type=int, default=192)
    parser.add_argument("--people", type=float, default=0.2, help="share of the recordings of people in the batches")
    parser.add_argument("--init", default="", help="the run to go on from")
    parser.add_argument("--held", action="store_true", help="also with the voices that are kept for scoring")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    a = arguments()
    RUNS.mkdir(parents=True, exist_ok=True)
    shards = [s for s in SHARDS if a.held or not s.endswith("-held")] + ["people"]
    data = Data(shards, a.people)
    path, done = RUNS / f"{a.run}.pkl", 0
    if path.exists() or a.init:
        saved = pickle.loads((path if path.exists() else RUNS / f"{a.init}.pkl").read_bytes())
        p, running = jax.tree.map(jnp.asarray, (saved["p"], saved["running"]))
        mean, istd, bigram, initial = (saved[k] for k in ("mean", "istd", "bigram", "initial"))
        moments = jax.tree.map(jnp.asarray, saved["moments"])
        if path.exists():
            done = saved["steps"]
    else:
        p, running = network.init(a.width, a.bottleneck, a.layers, a.prefinal, a.seed)
        mean, istd = data.normalisation()
        bigram, initial = data.bigram()
        moments = (jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p))
    warm, offset = 1000 if a.init else 0, 0  # the moments of a run that goes on from another are warm
    bigram_j, initial_j = jnp.asarray(bigram, jnp.float32), jnp.asarray(initial, jnp.float32)
    print(f"{sum(x.size for x in jax.tree.leaves(p)):,} parameters; hours of features (synthetic, people): %.1f, %.1f" % data.hours(), flush=True)

    @jax.jit
    def step(p, running, moments, batch, rate, k, frame_weight):
        key = jax.random.fold_in(jax.random.PRNGKey(a.seed), k.astype(int))
        gradient = jax.value_and_grad(network.loss, has_aux=True)
        (_, (new, mmi, entropy, right)), g = gradient(p, running, batch, bigram_j, initial_j, frame_weight, 5e-4, key, a.drop)
        length = jnp.sqrt(sum((x**2).sum() for x in jax.tree.leaves(g)))
        scale = jnp.where(jnp.isfinite(length), jnp.minimum(1.0, 2.0 / (length + 1e-9)), 0.0)
        g = jax.tree.map(lambda x: jnp.where(jnp.isfinite(x), x, 0.0) * scale, g)
        m = jax.tree.map(lambda o, n: 0.9 * o + 0.1 * n, moments[0], g)
        v = jax.tree.map(lambda o, n: 0.98 * o + 0.02 * n * n, moments[1], g)
        c1, c2 = 1 - 0.9 ** (k + offset), 1 - 0.98 ** (k + offset)
        p = jax.tree.map(lambda w, m, v: w - rate * ((m / c1) / (jnp.sqrt(v / c2) + 1e-8) + 1e-3 * w), p, m, v)
        running = jax.tree.map(lambda o, n: 0.97 * o + 0.03 * n, running, new)
        return p, running, (m, v), jnp.stack([mmi, entropy, right])

    def save(steps):
        arrays = jax.tree.map(np.asarray, dict(p=p, running=running, moments=moments))
        fresh = path.with_suffix(".tmp")
        fresh.write_bytes(pickle.dumps(dict(arrays, mean=mean, istd=istd, bigram=bigram, initial=initial, steps=steps)))
        fresh.rename(path)

    begun = saved_at = time.time()
    recent, k = [], done + 1
    for k, batch in enumerate(data.stream([a.seed, done, warm], mean, istd), done + 1):
        if k > (a.stop or a.steps):
            break
        part = k / a.steps
        fall = 1.0 if part < a.hold else 1 - 0.98 * (part - a.hold) / (1 - a.hold)
        rate = a.rate * fall * min(1.0, k / 60)
        p, running, moments, now = step(p, running, moments, tuple(map(jnp.asarray, batch)), rate, jnp.float32(k + warm), 1.0 if part < 0.1 and not a.init else 0.2)
        recent.append(now)
        if k % 25 == 0 or k < 4:
            mmi, entropy, right = np.mean(np.stack(recent[-25:]), 0)
            recent = recent[-25:]
            left = (time.time() - begun) / (k - done) * (a.steps - k) / 60
            bar = "#" * int(30 * part)
            print(f"[{bar:30s}] {k}/{a.steps} {left:.1f} min left; rate {rate:.5f} mmi {mmi:.4f} entropy {entropy:.3f} right {right:.3f}", flush=True)
        if time.time() - saved_at > CHECKPOINT_EVERY:
            save(k)
            saved_at = time.time()
    save(k - 1)


if __name__ == "__main__":
    main()
