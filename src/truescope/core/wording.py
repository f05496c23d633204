"""The words of an entry: one sentence that says no more than its level allows, and the linter that proves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truescope.core.evidence import EvidenceLevel

if TYPE_CHECKING:
    from truescope.core.claims import Claim

SIGNS = {">=": "≥", "<=": "≤"}

_THIRD_PERSON = (
    "causes|controls|drives|uses|knows|believes|thinks|understands|wants|decides|computes|triggers|determines|induces|"
    "raises|governs|steers|produces"
)
_PLURAL = "cause|control|drive|use|know|believe|understand|decide|compute|trigger|determine|govern"
_PASSIVE = "caused|controlled|driven|determined|triggered|governed|produced"

_NOT_A_VERB = r"(?:the|a|an|no|of|for|with|matched|random|beside|its|their|these|each|per|than) "
_COUNT = r"(?<![/\w])(?<!feature )(?<!neuron )(?<!unit )(?<!layer )(?<!head )[\d,]+ "
_NEGATED = r"(?:not|never|cannot|neither|nor|n't) "


def counted(n: int, noun: str) -> str:
    """A number of things in words: "1 node", "2,708 nodes"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_RULES: tuple[tuple[re.Pattern[str], EvidenceLevel], ...] = (
    (_words("can be read from|is decodable from|decodes?"), EvidenceLevel.E2),
    (_words(f"{_THIRD_PERSON}|{_PLURAL}"), EvidenceLevel.E3),
    (_words(f"(?:is|are|was|were|been) (?:{_PASSIVE}) by"), EvidenceLevel.E3),
    (_words("can induce|responsible for|because of|leads? to|results? in"), EvidenceLevel.E3),
    (_words("(?:needed|necessary|required|essential|indispensable) (?:for|to)"), EvidenceLevel.E4),
    (_words("implements?|is implemented by"), EvidenceLevel.E5),
)
_BARE_WORD = _words("mechanistic(?:ally)?")
_QUOTED = re.compile(r"“[^”]*”")


@dataclass(frozen=True)
class Finding:
    """A word that says more than the entry's evidence: the word, where it stands, and the level that it needs."""

    word: str
    place: int
    needs: EvidenceLevel | None

    def __str__(self) -> str:
        if self.needs is None:
            return f'"{self.word}" is never said alone: say causal (narrow-technical) or internal, descriptive'
        return f'"{self.word}" needs {self.needs.value} ({self.needs.title})'


def lint(text: str, level: EvidenceLevel) -> list[Finding]:
    """The words in ``text`` that an entry of ``level`` may not say.

    A causal verb (causes, controls, drives, uses, knows, …) needs E3, "needed for" E4, "implements" E5, "can be read
    from" E2. A verb that is denied ("does not control") asserts nothing and is let through; so is a noun ("100
    controls", "the use"), and what stands in “quotation marks”: it is someone's name for a thing. The word
    "mechanistic" is found at every level. Where two rules find one word, the stricter counts.
    """
    text = _QUOTED.sub(lambda match: "“" + "·" * (len(match[0]) - 2) + "”", text)
    found: dict[int, Finding] = {}
    for pattern, needs in _RULES:
        for match in pattern.finditer(text):
            before = text[: match.start()]
            denied = re.search(_NEGATED + "$", before, re.IGNORECASE)
            noun = " " not in match[0] and re.search(rf"\b{_NOT_A_VERB}$", before, re.IGNORECASE)
            noun = noun or (match[0] == "controls" and re.search(f"{_COUNT}$", before, re.IGNORECASE))
            if level >= needs or denied or noun:
                continue
            place = match.start()
            if place not in found or (found[place].needs or needs) < needs:
                found[place] = Finding(match[0], place, needs)
    for match in _BARE_WORD.finditer(text):
        found[match.start()] = Finding(match[0], match.start(), None)
    return [found[place] for place in sorted(found)]


def sentence(claim: Claim, verdict: Mapping[str, Any]) -> str:
    """What may be said of a claim after its verdict (the record that `Verdict.to_json` gives).

    The verb is the level's; what did not hold is named as what was tested, never asserted. Names that a person or a
    model gave stand in quotation marks.
    """
    level, status = EvidenceLevel(verdict["evidence_level"]), verdict["status"]
    names = {"x": subject(claim), "y": object_of(claim)}
    counts = "; ".join([*_scores(claim, verdict), *_controls(verdict)])
    if status == "held":
        said = _held(claim, level, names)
    elif status == "not_testable":
        reason = "; ".join(verdict.get("notes", ()))
        if not reason or lint(reason, level):
            reason = "the entry says why"
        return _capital(f"{claim.type.noun.format(**names)} could not be tested: {reason}.")
    else:
        word = "was tested and failed" if status == "failed" else "was tested and is undecided"
        said = f"{claim.type.noun.format(**names)} {word}"
    return f"{_capital(said)}: {counts}. {level.value}, {level.sense}."


def _held(claim: Claim, level: EvidenceLevel, names: Mapping[str, str]) -> str:
    if level is EvidenceLevel.E0:
        return "in this example, {x} goes with {y}".format(**names)
    if not claim.type.levels or level is claim.type.ceiling:
        return claim.type.held.format(**names)
    if level is EvidenceLevel.E3:
        return "{x} can induce {y}".format(**names)
    # It held, but without what the level of its type asks for.
    return "{x} is associated with {y}".format(**names)


def subject(claim: Claim) -> str:
    """What the claim is about, in words."""
    target = claim.target
    if target.get("subject"):
        return str(target["subject"])
    if target.get("group"):
        return f"the group “{target['group']}”"
    features = target.get("features") or ()
    if features:
        return f"feature {features[0]}" if len(features) == 1 else f"a group of {len(features)} features"
    return "the target"


def object_of(claim: Claim) -> str:
    """What it is said to do or to go with, in words."""
    if claim.target.get("object"):
        return str(claim.target["object"])
    names = [prediction.score for prediction in claim.predictions]
    return " and ".join(name.replace("_", " ") for name in names) or "nothing that was predicted"


def _scores(claim: Claim, verdict: Mapping[str, Any]) -> list[str]:
    told = {p.score: f", predicted {SIGNS[p.relation]} {p.threshold:g}" for p in claim.predictions}
    return [
        f"{s['name'].replace('_', ' ')} {s['value']:.4g} [{s['low']:.4g}, {s['high']:.4g}]{told[s['name']]}"
        f" (n = {s['n']:,})"
        for s in verdict["scores"]
        if s["name"] in told
    ]


def _controls(verdict: Mapping[str, Any]) -> list[str]:
    return [f"{c['n_won']:,} of {c['n']:,} {c['name']} did the same" for c in verdict["controls"]]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
