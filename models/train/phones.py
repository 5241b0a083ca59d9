"""The phone set that all languages share, and how espeak-ng's IPA is read into it."""

import functools
import pathlib

HERE = pathlib.Path(__file__).parent

#: Index is identity: files, pdfs (2p = first frame, 2p+1 = the following ones) and labels all count from here.
PHONES = (HERE / "phones.txt").read_text().split()
INDEX = {phone: i for i, phone in enumerate(PHONES)}
N_PHONES = len(PHONES)
N_PDFS = 2 * N_PHONES

STRESS = "ˈˌ"


@functools.lru_cache(None)
def table(language):
    """Symbol -> phones for one espeak voice. A line for the voice itself beats one for its family, and that one a general line."""
    ranked = {}
    for line in (HERE / "ipa.txt").read_text().splitlines():
        symbol, right, *only = line.split("\t")
        only = only[0] if only else ""
        if only and language != only and not language.startswith(only + "-"):
            continue
        if symbol not in ranked or len(only) >= len(ranked[symbol][0]):
            ranked[symbol] = (only, right.split())
    rows = {symbol: right for symbol, (_, right) in ranked.items()}
    return rows, max(map(len, rows))


def read_ipa(ipa, language):
    """[(phone, position in the string)] of one word; raises KeyError with the symbol that no line knows."""
    rows, longest = table(language)
    plain = [(c, i) for i, c in enumerate(ipa) if c not in STRESS]
    text = "".join(c for c, _ in plain)
    out, at = [], 0
    while at < len(text):
        for n in range(min(longest, len(text) - at), 0, -1):
            if text[at : at + n] in rows:
                out += [(p, plain[at][1]) for p in rows[text[at : at + n]]]
                at += n
                break
        else:
            raise KeyError(text[at])
    return out


def phones_of(ipa, language):
    """The phones of one word, doubles (as between two equal consonants) kept once."""
    names = [p for p, _ in read_ipa(ipa, language)]
    return [p for i, p in enumerate(names) if i == 0 or p != names[i - 1]]
