"""MODEL/pinyin.txt: how characters are read, with tones, so that espeak-ng can speak Mandarin: `character(s)<TAB>syllables`.

Every character of GB 2312 with its most common reading, and those words of the phrases whose characters are read otherwise in them."""

import re

import yaml

import lexicon as L
from paths import MODEL, ROOT


def phrases():
    """Runs of characters in all that is said in Mandarin."""
    said = yaml.safe_load((ROOT / "configs" / "phrases" / "zh.yaml").read_text(encoding="utf-8"))["prompts"].values()
    return sorted({run for text in said for run in re.findall(r"[\u4e00-\u9fff]{2,}", str(text))})


def table():
    """[(characters, syllables)], single characters first."""
    single = {c: L.pinyin(c)[0] for c in L.gb2312()}
    rows = sorted(single.items())
    for run in phrases():
        for length in range(2, 5):
            for at in range(len(run) - length + 1):
                word = run[at : at + length]
                said = L.pinyin(word)
                if len(said) == length and said != [single.get(c) for c in word] and not any(word in w or w in word for w, _ in rows if len(w) > 1):
                    rows.append((word, " ".join(said)))
    return rows


if __name__ == "__main__":
    rows = table()
    (MODEL / "pinyin.txt").write_text("".join(f"{word}\t{said}\n" for word, said in rows), encoding="utf-8")
    print(f"pinyin.txt: {len(rows)} readings")
