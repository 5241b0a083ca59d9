"""Where things lie: work data outside the repository's history, the model folder, the recordings."""

import os
import pathlib

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
MODEL = pathlib.Path(os.environ.get("HARK_MODEL", ROOT / "models" / "hark"))
WORK = pathlib.Path(os.environ.get("HARK_TRAIN", ROOT / ".deps" / "train"))
CORPUS, FEATURES, RUNS = WORK / "corpus", WORK / "features", WORK / "runs"
#: Recordings of people, rooms and noise; without them the model is made of synthetic voices only.
RECORDINGS = pathlib.Path(os.environ.get("HARK_DATA", ROOT.parent / "shared" / "data"))
