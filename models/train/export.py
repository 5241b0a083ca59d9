"""Writes a trained run as the model folder: am/final.mdl in Kaldi's nnet3 format, without Kaldi, and conf/.

usage: export.py RUN"""

import pathlib
import pickle
import struct
import sys

import numpy as np

import network
import phones as P
from paths import HERE, MODEL, RUNS


# ---- Kaldi's binary primitives; numbers are little-endian and carry their size

def token(s):
    return s.encode() + b" "


def int32(v):
    return b"\x04" + struct.pack("<i", v)


def float32(v):
    return b"\x04" + struct.pack("<f", v)


def int_vector(v):
    return b"\x04" + struct.pack("<i", len(v)) + np.asarray(v, "<i4").tobytes()


def float_vector(v):
    v = np.asarray(v, "<f4")
    return token("FV") + int32(v.size) + v.tobytes()


def matrix(m):
    """CM2: 16 bits per element between one minimum and one maximum."""
    m = np.asarray(m, np.float64)
    low, span = float(m.min()), max(float(m.max() - m.min()), 1e-12)
    levels = np.clip(np.rint((m - low) / span * 65535), 0, 65535).astype("<u2")
    return token("CM2") + struct.pack("<ffii", low, span, *m.shape) + levels.tobytes()


# ---- the transition model: one emitting state for every phone in every position in its word

POSITIONS = "BIES"


def kaldi_phone(phone, position):
    """1 is silence; then every phone at the beginning, inside, at the end of, or alone in a word."""
    return 1 if phone == 0 else 2 + 4 * (phone - 1) + POSITIONS.index(position)


def transition_model():
    n = 1 + 4 * (P.N_PHONES - 1)
    tuples = [(1, 0, 1)] + [(kaldi_phone(p, at), 2 * p, 2 * p + 1) for p in range(1, P.N_PHONES) for at in POSITIONS]
    out = b"\0B" + token("<TransitionModel>") + token("<Topology>") + int_vector(range(1, n + 1)) + int_vector([-1] + [0] * n)
    out += int32(-1) + int32(1) + int32(2)  # forward and self-loop differ; one entry; two states
    out += int32(0) + int32(1) + int32(2) + int32(0) + float32(0.5) + int32(1) + float32(0.5)
    out += int32(-1) + int32(-1) + int32(0)  # the final state emits nothing
    out += token("</Topology>") + token("<Tuples>") + int32(len(tuples))
    out += b"".join(int32(phone) + int32(0) + int32(forward) + int32(loop) for phone, forward, loop in tuples)
    out += token("</Tuples>") + token("<LogProbs>") + float_vector([0.0] + [np.log(0.5)] * (2 * len(tuples)))
    return out + token("</LogProbs>") + token("</TransitionModel>")


# ---- the network

def affine(W, b):
    head = token("<FixedAffineComponent>") + token("<LinearParams>")
    return head + matrix(W) + token("<BiasParams>") + float_vector(b) + token("</FixedAffineComponent>")


def relu(dim):
    empty, zero = float_vector([]), float32(0)
    out = token("<RectifiedLinearComponent>") + token("<Dim>") + int32(dim)
    for name, value in (("ValueAvg", empty), ("DerivAvg", empty), ("Count", zero), ("OderivRms", empty), ("OderivCount", zero),
                        ("NumDimsSelfRepaired", zero), ("NumDimsProcessed", zero)):
        out += token(f"<{name}>") + value
    return out + token("</RectifiedLinearComponent>")


def no_op(dim):
    return token("<NoOpComponent>") + token("<Dim>") + int32(dim) + token("<BackpropScale>") + float32(1.0) + token("</NoOpComponent>")


def nnet3(f):
    """The nodes and components of a folded network."""
    config, components = [f"input-node name=input dim={network.N_CEPS}"], []

    def add(name, data, source):
        components.append((name, data))
        config.append(f"component-node name={name} component={name} input={source}")
        return name

    splice = range(-network.SPLICE, network.SPLICE + 1)
    W0 = f["W0"] * np.tile(f["istd"], len(splice))[None, :]  # the input's normalisation goes into the first layer
    b0 = f["b0"] - W0 @ np.tile(f["mean"], len(splice))
    h = add("l0.affine", affine(W0, b0), "Append(" + ", ".join(f"Offset(input, {k})" if k else "input" for k in splice) + ")")
    h = add("l0.relu", relu(len(b0)), h)
    for i, (Wl, Wa, ba) in enumerate(f["layers"], 1):
        z = add(f"l{i}.linear", affine(Wl, np.zeros(len(Wl))), f"Append(Offset({h}, -3), {h})")
        y = add(f"l{i}.affine", affine(Wa, ba), f"Append({z}, Offset({z}, 3))")
        y = add(f"l{i}.relu", relu(len(ba)), y)
        h = add(f"l{i}.noop", no_op(len(ba)), f"Sum(Scale({network.BYPASS}, {h}), {y})")  # a node, so that Offset can refer to it
    h = add("prefinal", affine(f["Wp"], f["bp"]), h)
    h = add("prefinal.relu", relu(len(f["bp"])), h)
    h = add("output.affine", affine(f["Wo"], f["bo"]), h)
    config.append(f"output-node name=output input={h} objective=linear")
    out = token("<Nnet3>") + b"\n" + "".join(line + "\n" for line in config).encode() + b"\n"
    out += token("<NumComponents>") + int32(len(components))
    out += b"".join(token("<ComponentName>") + token(name) + data for name, data in components)
    return out + token("</Nnet3>") + token("<LeftContext>") + int32(0) + token("<RightContext>") + int32(0) + token("<Priors>") + float_vector([])


def load(run):
    saved = pickle.loads((RUNS / f"{run}.pkl").read_bytes())
    return network.folded(saved["p"], saved["running"], saved["mean"], saved["istd"]), saved["steps"]


def write(run, folder):
    f, steps = load(run)
    (folder / "am").mkdir(parents=True, exist_ok=True)
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "am" / "final.mdl").write_bytes(transition_model() + nnet3(f))
    for name in ("mfcc.conf", "model.conf"):
        (folder / "conf" / name).write_text((HERE / "conf" / name).read_text())
    size = sum(p.stat().st_size for p in pathlib.Path(folder).rglob("*") if p.is_file())
    print(f"{folder}: {run} after {steps} steps, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    write(sys.argv[1], MODEL)
