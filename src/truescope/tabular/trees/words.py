"""A tree in words, and words as a tree: every tree reads back equal.

    If thal = {rd,fd}, decide True.
    If cp != {a}, decide False.
    If ca > 0, decide True, otherwise, decide False.

A node that decides the negative class says so by the opposite question. Names with spaces or punctuation stand in
double quotes, and so do labels that are text but look like a number or a truth value. The last sentence names the
positive class first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from truescope.core.errors import TableError
from truescope.tabular.trees.settings import check_choice
from truescope.tabular.trees.tree import BOTH, NEGATED, FastFrugalTree, Node, plain

_PHRASES = {
    "en": ("If {question}, decide {label}.", "If {question}, decide {label}, otherwise, decide {other}."),
    "de": ("Wenn {question}, entscheide {label}.", "Wenn {question}, entscheide {label}, sonst entscheide {other}."),
}
LANGUAGES = tuple(_PHRASES)

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_CUE = rf"(?:{_QUOTED}|[^\s,;{{}}\"=<>!≤≥≠]+)"
_LABEL = rf"(?:{_QUOTED}|[+-]?\w+(?:[.+-]\w+)*)"
_LEVEL = rf"(?:{_QUOTED}|[^\s,{{}}\[\]\";]+(?: +[^\s,{{}}\[\]\";]+)*)"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SET = rf"[{{\[]\s*(?P<levels>{_LEVEL}(?:\s*,\s*{_LEVEL})*)?\s*[}}\]]"
_OPERATORS = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!=", "is not": "!=", "is": "=", "not in": "!=", "in": "="}
_COMPARE = r"(?:\s*(?P<sign><=|>=|!=|==|=|<|>|≤|≥|≠)|\s+(?P<word>is\s+not|is|not\s+in|in)\b)"
_DECIDE = r"(?:decide|predict|entscheide)"
_OTHERWISE = rf"(?:[.,;]?\s*(?:otherwise|else|sonst)\s*,?\s*{_DECIDE}\s+(?P<other>{_LABEL}))?"
_SENTENCE = re.compile(
    rf"\s*(?:if|wenn)\s+(?P<cue>{_CUE}){_COMPARE}\s*(?:(?P<number>{_NUMBER})|{_SET})\s*,?\s*(?:then\s+)?"
    rf"{_DECIDE}\s+(?P<label>{_LABEL}){_OTHERWISE}\s*[.;]?\s*",
    re.IGNORECASE,
)


def to_words(tree: FastFrugalTree, language: str = "en") -> str:
    """The tree as one sentence for each node.

    Raises:
        TableError: a language that is not known.
    """
    check_choice("language", language, LANGUAGES)
    inner, last = _PHRASES[language]
    positive, negative = _label(tree.positive), _label(tree.negative)
    sentences = []
    for node in tree.nodes:
        direction = NEGATED[node.direction] if node.exit == 0 else node.direction
        question = f"{quoted(node.cue, _CUE)} {direction} {threshold_words(node.threshold)}"
        label = negative if node.exit == 0 else positive
        phrase = last if node.exit == BOTH else inner
        sentences.append(phrase.format(question=question, label=label, other=negative))
    return "\n".join(sentences)


def from_words(text: str, *, positive: Any = None) -> FastFrugalTree:
    """The tree that the words describe; ``positive`` is the positive label, by default the one named first at the end.

    Raises:
        TableError: a sentence cannot be read (it is shown), or the labels are not two.
    """
    sentences = _sentences(text)
    labels = [read_label(found["label"]) for found in sentences]
    others = [read_label(found["other"]) for found in sentences if found["other"] is not None]
    last = labels[-1]
    known = list(dict.fromkeys([*others, last, *labels]))
    if len(known) != 2:
        raise TableError(f"a tree decides between two labels; these words name {', '.join(map(str, known))}")
    if positive is None:
        positive = last
    elif positive not in known:
        positive = next((label for label in known if str(label) == str(positive)), None)
        if positive is None:
            raise TableError(f"the words never decide {positive!r}", why=f"they decide {known[0]} or {known[1]}")
    negative = known[0] if known[1] == positive else known[1]
    nodes = []
    for number, (found, label) in enumerate(zip(sentences, labels, strict=True), start=1):
        direction = found["op"] if label == positive else NEGATED[found["op"]]
        exit = BOTH if number == len(sentences) else float(label == positive)
        nodes.append(Node(found["cue"], direction, found["threshold"], exit))
    return FastFrugalTree(tuple(nodes), negative, positive)


def _sentences(text: str) -> list[dict[str, Any]]:
    found, place = [], 0
    while place < len(text):
        match = _SENTENCE.match(text, place)
        if match is None or match.end() == place:
            raise TableError(
                f"these words are no sentence of a tree: {text[place : place + 80].strip()!r}",
                fix='say it like "If age > 56, decide True." and end with ", otherwise, decide False."',
            )
        operator = match["sign"] or " ".join(match["word"].lower().split())
        threshold = float(match["number"]) if match["number"] else tuple(map(_unquote, _levels(match["levels"])))
        found.append({
            "cue": _unquote(match["cue"]), "op": _OPERATORS.get(operator, operator), "threshold": threshold,
            "label": match["label"], "other": match["other"],
        })  # fmt: skip
        place = match.end()
    if not found or found[-1]["other"] is None or any(one["other"] is not None for one in found[:-1]):
        raise TableError("the last sentence, and no other, says what is decided otherwise")
    return found


def threshold_words(threshold: float | int | tuple[str, ...]) -> str:
    """A threshold as it stands in a question: the shortest number that reads back equal, or the levels in braces."""
    if isinstance(threshold, tuple):
        return "{" + ",".join(quoted(level, _LEVEL) for level in threshold) + "}"
    text = repr(float(threshold))
    return text.removesuffix(".0")


def quoted(text: str, plain: str) -> str:
    """The text as it is where ``plain`` matches all of it, else in double quotes."""
    simple = re.fullmatch(plain, text) and not text.startswith('"') and text == text.strip()
    return text if simple else json.dumps(text, ensure_ascii=False)


def _label(label: Any) -> str:
    if isinstance(label, str):
        looks_like_more = not isinstance(read_label(label), str) if re.fullmatch(_LABEL, label) else True
        return json.dumps(label, ensure_ascii=False) if looks_like_more else label
    return str(plain(label))


def read_label(text: str) -> Any:
    """A label as it was before it was written: quoted text as text, else a truth value or a number if it looks so."""
    if text.startswith('"'):
        return json.loads(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _levels(text: str | None) -> Sequence[str]:
    return re.findall(_LEVEL, text) if text else ()


def _unquote(text: str) -> str:
    return json.loads(text) if text.startswith('"') else text
