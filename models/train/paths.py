"""Where things lie: work data outside the repository's history, the model folder, the recordings."""

import os
import pathlib

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
MODEL = pathlib.Path(os.environ.get("HARK_MODEL", ROOT / "models" / "hark"))
WORK = pathlib.Path(os.environ.get("HARK_TRAIN", ROOT / ".deps" / "train"))
CORPUS, FEATURES, RUNS = WORK / "corpus", WORK / "features", WORK / "runs"
#: Less than 1: so small a part of everything, to see whether all stages fit together. What comes out understands nothing.
SCALE = min(1.0, float(os.environ.get("HARK_SCALE", 1)))
#: Recordings of people, rooms and noise; without them the model is made of synthetic voices only.
RECORDINGS = pathlib.Path(os.environ.get("HARK_DATA", ROOT.parent / "shared" / "data"))
