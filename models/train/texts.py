"""Random sentences of a language: the house's commands, wake phrases, digits, talk, and words in no order (seeded)."""

import pathlib
import re

import yaml
from faker.providers.person import de_DE, en_GB, en_US, zh_CN

HERE = pathlib.Path(__file__).parent
PHRASES = HERE.parent.parent / "configs" / "phrases"
LANGUAGES = ("en", "de", "zh")


def phrases(language):
    return yaml.safe_load((PHRASES / f"{language}.yaml").read_text())


def own(language):
    return yaml.safe_load((HERE / "texts.yaml").read_text())[language]


def patterns(language):
    """{intent: [pattern]} of what is listened for."""
    return {intent: rows for intent, rows in phrases(language)["intents"].items() if intent != "typed"}


def pattern_words(language):
    """Every word that the phrases of the house or the training texts can contain."""
    said = phrases(language)
    rows = sum(patterns(language).values(), []) + list(said["digits"]) + list(said["numbers"]) + list(said["labels"])
    rows += sum(said["around"].values(), [])
    rows += said["names"]["titles"] + said["names"]["rooms"] + [str(x) for rows in own(language).values() for x in rows]
    rows += said["names"]["echo_test"]
    return sorted(set(re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", re.sub(r"\{\w+\}", " ", " | ".join(map(str, rows))).lower())))


def faker_names(language):
    """(given names, family names) in lower case, sorted."""
    providers = {"en": (en_US, en_GB), "de": (de_DE,), "zh": (zh_CN,)}[language]
    given, family = set(), set()
    for module in providers:
        p = module.Provider
        for kind in ("first_names", "first_names_female", "first_names_male"):
            given |= {n.lower() for n in getattr(p, kind, ())}
        family |= {n.lower() for n in p.last_names}
    plain = lambda names: sorted(n for n in names if re.fullmatch(r"[^\W\d_]+", n))
    return plain(given), plain(family)


class Writer:
    """Sentences of one language; `lexicon` bounds the random words."""

    def __init__(self, language, rng, words):
        self.language, self.rng, self.words = language, rng, words
        self.own, said = own(language), phrases(language)
        self.intents = patterns(language)
        self.digits, self.numbers, self.labels = (list(map(str, said[k])) for k in ("digits", "numbers", "labels"))
        self.room_names, self.around = said["names"]["rooms"], said["around"]
        self.given, self.family_names = faker_names(language)

    def pick(self, rows):
        return rows[int(self.rng.integers(len(rows)))]

    def chance(self, p):
        return self.rng.random() < p

    def person(self):
        k = self.rng.random()
        if self.language == "zh":
            return self.pick(self.own["family"]) if k < 0.4 else self.pick(self.family_names) + self.pick(self.given)
        if k < 0.45:
            return self.pick(self.given)
        if k < 0.7:
            return self.pick(self.given) + " " + self.pick(self.family_names)
        if k < 0.8 and self.language == "en":
            return "my " + self.pick(self.own["family"])
        return self.pick(self.own["family"])

    def digit_string(self, least=1, most=11):
        return " ".join(self.pick(self.digits) for _ in range(int(self.rng.integers(least, most))))

    def fill(self, slot):
        if slot == "contact":
            return self.person()
        if slot == "room":
            return self.pick(self.room_names).replace("{name}", self.pick(self.own["rooms"]))
        if slot == "digits":
            return self.digit_string()
        if slot == "percent":
            return self.pick(self.numbers)
        if slot == "label":
            return self.pick(self.labels)
        return self.expand(self.pick(self.own[slot]))

    def expand(self, pattern):
        """One sentence of a pattern: [may be left out], (either|or), {slot}; innermost brackets first."""
        inner = re.compile(r"\[([^\[\]()]*)\]|\(([^\[\]()]*)\)")
        while found := inner.search(pattern):
            optional, either = found.groups()
            part = self.pick(either.split("|")) if optional is None else optional if self.chance(0.5) else ""
            pattern = pattern[: found.start()] + part + pattern[found.end() :]
        text = re.sub(r"\{(\w+)\}", lambda m: self.fill(m[1]), pattern)
        return " ".join(text.split())

    def command(self):
        intent = self.pick(["dial"] * 6 + ["dial_number"] * 2 + ["move", "announce_to"] + sorted(self.intents))
        text = self.expand(self.pick(self.intents[intent]))
        if self.chance(0.15):
            text = self.pick(self.around["before"]) + " " + text
        if self.chance(0.15):
            text += " " + self.pick(self.around["after"])
        return self.wake() + " " + text if self.chance(0.12) else text

    def wake(self):
        if self.chance(0.75):
            return self.pick(self.own["wake"])
        hey = self.pick({"en": ["hey", "okay", "hello", "hi"], "de": ["hey", "hallo", "okay"], "zh": ["喂", "你 好"]}[self.language])
        return hey + " " + self.pick(self.given if self.chance(0.6) else self.words)

    def random_words(self, least=1, most=8):
        return " ".join(self.pick(self.words) for _ in range(int(self.rng.integers(least, most))))

    def sentence(self):
        """(text, whether it is cut tight: no silence before and after)"""
        k = self.rng.random()
        tight = self.chance(0.5)
        if k < 0.36:
            return self.command(), False
        if k < 0.46:
            return self.wake(), tight
        if k < 0.53:
            return self.digit_string(1, 5), tight
        if k < 0.58:
            return self.expand(self.pick(self.own["talk"])), False
        if k < 0.63 and "order" in self.own:
            return self.expand(self.pick(self.own["order"])), False
        if k < 0.70:
            return self.pick(self.words + self.digits * 40), True
        if k < 0.76:
            return self.person(), tight
        return self.random_words(), False

    def short(self):
        """Like `sentence`, but one or two digits, or one short word, cut tight."""
        return (self.digit_string(1, 3) if self.chance(0.9) else self.pick(self.words)), True
