"""The network and its loss in JAX: a factored TDNN at 33 frames a second, lattice-free MMI with a little frame cross entropy."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from phones import N_PDFS

SPLICE, BYPASS, N_CEPS = 4, 0.66, 40
MINUS_INFINITY = -1e30


def init(width, bottleneck, n_layers, prefinal, seed):
    """(parameters, running means and variances). Context: SPLICE + 3 * n_layers frames on either side."""
    rng = np.random.default_rng(seed)
    matrix = lambda i, o: jnp.asarray(rng.standard_normal((i, o)) * np.sqrt(1 / i), jnp.float32)
    norm = lambda d: dict(g=jnp.ones(d), b=jnp.zeros(d))
    still = lambda d: (jnp.zeros(d), jnp.ones(d))
    parameters = dict(
        W0=matrix(N_CEPS * (2 * SPLICE + 1), width), bn0=norm(width), Wp=matrix(width, prefinal), bnp=norm(prefinal),
        Wo=matrix(prefinal, N_PDFS) * 0.3, bo=jnp.zeros(N_PDFS), Wx=matrix(prefinal, N_PDFS) * 0.3, bx=jnp.zeros(N_PDFS),
        layers=[dict(l=matrix(2 * width, bottleneck), a=matrix(2 * bottleneck, width), bn=norm(width)) for _ in range(n_layers)])
    return parameters, dict(bn0=still(width), bnp=still(prefinal), layers=[still(width) for _ in range(n_layers)])


def _normalise(y, bn, running, mask, train):
    if train:
        weight = mask / mask.sum()
        mean = (y * weight).sum((0, 1))
        running = (mean, (((y - mean) ** 2) * weight).sum((0, 1)))
    mean, variance = running
    return (y - mean) * lax.rsqrt(variance + 1e-3) * bn["g"] + bn["b"], running


def forward(p, running, x, mask, train, key=None, drop=0.0):
    """x (utterances, 3 T, 40) normalised, mask (utterances, T) -> (outputs, outputs of the frame head, running)."""
    n_layers, frames = len(p["layers"]), x.shape[1] // 3
    context = 3 * n_layers + SPLICE
    padded = jnp.pad(x, ((0, 0), (context, context + 3), (0, 0)), mode="edge")
    wide = frames + 2 * n_layers
    h = jnp.concatenate([padded[:, o : o + 3 * (wide - 1) + 1 : 3] for o in range(2 * SPLICE + 1)], -1) @ p["W0"]
    m = jnp.pad(mask, ((0, 0), (n_layers, n_layers)), constant_values=1.0)[..., None]
    new = dict(layers=[])
    h, new["bn0"] = _normalise(h, p["bn0"], running["bn0"], m, train)
    h = jax.nn.relu(h)
    for layer, stat in zip(p["layers"], running["layers"]):
        z = jnp.concatenate([h[:, :-1], h[:, 1:]], -1) @ layer["l"]
        y = jnp.concatenate([z[:, :-1], z[:, 1:]], -1) @ layer["a"]
        m = m[:, 1:-1]
        y, stat = _normalise(y, layer["bn"], stat, m, train)
        new["layers"].append(stat)
        y = jax.nn.relu(y)
        if key is not None and drop > 0:  # one factor per utterance and unit, mean 1
            key, now = jax.random.split(key)
            y = y * (1 + drop * 1.7 * (2 * jax.random.uniform(now, (y.shape[0], 1, y.shape[2])) - 1))
        h = BYPASS * h[:, 1:-1] + y
    y, new["bnp"] = _normalise(h @ p["Wp"], p["bnp"], running["bnp"], mask[..., None], train)
    y = jax.nn.relu(y)
    return y @ p["Wo"] + p["bo"], y @ p["Wx"] + p["bx"], new


def numerator(out, phones, n_phones, lengths):
    """Log likelihood of phone sequences, (utterances,); the silences (phone 0) in them may be left out."""
    B, T, _ = out.shape
    S = phones.shape[1]
    pick = lambda pdf: jnp.take_along_axis(out, jnp.broadcast_to(pdf[:, None, :], (B, T, S)), 2)
    first, more, silent = pick(2 * phones), pick(2 * phones + 1), phones == 0
    skip = jnp.where(jnp.pad(silent[:, :-1], ((0, 0), (1, 0))), 0.0, MINUS_INFINITY).at[:, 1].set(MINUS_INFINITY)
    at = jnp.arange(S)[None]
    begin = jnp.where(at == 0, first[:, 0], jnp.where((at == 1) & silent[:, :1], first[:, 0], MINUS_INFINITY))

    def step(a, now):
        f, q, t = now
        one = jnp.pad(a[:, :-1], ((0, 0), (1, 0)), constant_values=MINUS_INFINITY)
        two = jnp.pad(a[:, :-2], ((0, 0), (2, 0)), constant_values=MINUS_INFINITY) + skip
        new = jnp.logaddexp(a + q, jnp.logaddexp(one, two) + f)
        return jnp.where((t < lengths)[:, None], new, a), None

    a, _ = lax.scan(step, begin, (first[:, 1:].swapaxes(0, 1), more[:, 1:].swapaxes(0, 1), jnp.arange(1, T)))
    take = lambda k: jnp.take_along_axis(a, jnp.maximum(n_phones - k, 0)[:, None], 1)[:, 0]
    ends_silent = jnp.take_along_axis(silent, (n_phones - 1)[:, None], 1)[:, 0]
    return jnp.where(ends_silent, jnp.logaddexp(take(1), take(2)), take(1))


def denominator(out, bigram, initial, lengths):
    """Log likelihood of any phone sequence under a bigram, (utterances,)."""
    top = lax.stop_gradient(out.max(-1, keepdims=True))
    e, top = jnp.exp(out - top), top[..., 0]
    first, more = e[..., 0::2], e[..., 1::2]
    begin = initial[None] * first[:, 0]
    total = begin.sum(-1)

    def step(carry, now):
        a, log = carry
        f, q, m, t = now
        n = a * q + (a @ bigram + 1e-5 * initial) * f
        z = n.sum(-1)
        on = t < lengths
        return (jnp.where(on[:, None], n / z[:, None], a), log + jnp.where(on, jnp.log(z) + m, 0.0)), None

    rows = (first[:, 1:].swapaxes(0, 1), more[:, 1:].swapaxes(0, 1), top[:, 1:].swapaxes(0, 1), jnp.arange(1, out.shape[1]))
    (_, log), _ = lax.scan(step, (begin / total[:, None], jnp.log(total) + top[:, 0]), rows)
    return log


def loss(p, running, batch, bigram, initial, frame_weight, l2, key, drop):
    x, lengths, labels, phones, n_phones = batch
    mask = (jnp.arange(x.shape[1] // 3)[None] < lengths[:, None]).astype(jnp.float32)
    out, frame_out, running = forward(p, running, x, mask, True, key, drop)
    num, den = numerator(out, phones, n_phones, lengths), denominator(out, bigram, initial, lengths)
    frames = lengths.sum()
    mmi = jnp.where(jnp.isfinite(num) & (num > -1e20), num - den, 0.0).sum() / frames
    logs = jnp.take_along_axis(jax.nn.log_softmax(frame_out), jnp.maximum(labels, 0)[..., None], 2)[..., 0]
    known = mask * (labels >= 0)
    n_known = jnp.maximum(known.sum(), 1.0)
    entropy = -(logs * known).sum() / n_known
    right = ((frame_out.argmax(-1) == labels) * known).sum() / n_known
    size = ((out**2).sum(-1) * mask).sum() / frames
    return -mmi + frame_weight * entropy + l2 * size, (running, mmi, entropy, right)


def folded(p, running, mean, istd):
    """The parameters with the normalisations folded in; matrices as (out, in), as Kaldi wants them."""
    def fold(W, bn, stat):
        scale = np.asarray(bn["g"]) / np.sqrt(np.asarray(stat[1]) + 1e-3)
        return (np.asarray(W) * scale).T, np.asarray(bn["b"]) - np.asarray(stat[0]) * scale

    W0, b0 = fold(p["W0"], p["bn0"], running["bn0"])
    Wp, bp = fold(p["Wp"], p["bnp"], running["bnp"])
    layers = [(np.asarray(q["l"]).T, *fold(q["a"], q["bn"], s)) for q, s in zip(p["layers"], running["layers"])]
    return dict(mean=mean, istd=istd, W0=W0, b0=b0, layers=layers, Wp=Wp, bp=bp, Wo=np.asarray(p["Wo"]).T, bo=np.asarray(p["bo"]))
