"""The named programs: small mechanisms whose every part is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

from truescope.truth.compiled.program import POSITION, TOKENS, Draft, Program, Value


@cache
def named_programs() -> dict[str, Program]:
    """The programs by name; each says in ``about`` what it answers."""
    made = [
        copy_last(),
        reverse(),
        sort(),
        histogram(),
        bracket_balance(),
        fraction_of_previous(),
        induction(),
        two_hop(),
        two_hop_in_place(),
        modular_addition(),
        *boolean_formulas(),
    ]
    return {program.name: program for program in made}


def copy_last() -> Program:
    """The token before."""
    draft = Draft("abcd", 4)
    before = draft.select(POSITION, POSITION, lambda key, query: key == query - 1)
    return draft.finish("copy_last", draft.aggregate("last", before, TOKENS), "answers the token before this one")


def reverse() -> Program:
    """After ``|``, what came before it, backwards."""
    draft = Draft(("a", "b", "|"), 6)
    bar = draft.select(TOKENS, POSITION, lambda key, query: key == "|")
    draft.aggregate("bar_at", bar, POSITION, tie="earliest")
    # At the bar the last token comes first: from position p on, it is at 2·bar − 1 − p.
    draft.map("source", ("bar_at", POSITION), lambda bar, p: source if (source := 2 * bar - 1 - p) > 0 else None)
    there = draft.select(POSITION, "source", lambda key, query: key == query)
    output = draft.aggregate("reversed", there, TOKENS)
    return draft.finish("reverse", output, "after |, answers the tokens before it, last one first")


def sort() -> Program:
    """After ``|``, the digits before it in order."""
    digits = ("0", "1", "2")
    draft = Draft((*digits, "|"), 5)
    bar = draft.select(TOKENS, POSITION, lambda key, query: key == "|")
    draft.aggregate("bar_at", bar, POSITION, tie="earliest")
    draft.map("rank", ("bar_at", POSITION), lambda bar, p: p - bar if p >= bar else None)
    # None where no bar was seen yet.
    draft.map("input", (TOKENS, "bar_at"), lambda token, bar: token if bar is None and token != "|" else None, True)
    for digit in digits:
        counted = draft.select("input", POSITION, lambda key, query, digit=digit: key <= digit)
        draft.width(f"n_upto_{digit}", counted)
        draft.map(f"count_{digit}", (f"n_upto_{digit}",), int)
        draft.map(f"passed_{digit}", (f"count_{digit}", "rank"), lambda count, rank: "yes" if count > rank else "no")

    def smallest(*passed: Value) -> Value | None:
        return next((digit for digit, yes in zip(digits, passed, strict=True) if yes == "yes"), None)

    output = draft.map("sorted", [f"passed_{digit}" for digit in digits], smallest)
    return draft.finish("sort", output, "after |, answers the digits before it, smallest first")


def histogram() -> Program:
    """How often this token has come so far."""
    draft = Draft("abc", 5, words=[str(n) for n in range(1, 6)])
    draft.width("n_same", draft.select(TOKENS, TOKENS, lambda key, query: key == query))
    output = draft.map("count", ("n_same",), lambda n: str(n) if n else None)
    return draft.finish("histogram", output, "answers how often this token has come, itself counted")


def bracket_balance() -> Program:
    """Whether the brackets so far are balanced."""
    draft = Draft("()", 6, words=("balanced", "open", "broken"))
    so_far = draft.select(POSITION, POSITION, lambda key, query: True)
    draft.mean("depth", so_far, TOKENS, {"(": 1, ")": -1})
    draft.map("sign", ("depth",), lambda depth: "below" if depth < 0 else "above" if depth else "zero")
    draft.mean("fallen", so_far, "sign", {"below": 1})
    draft.map("ever_below", ("fallen",), lambda share: "yes" if share else "no")
    states = {"zero": "balanced", "above": "open"}
    output = draft.map(
        "state", ("ever_below", "sign"), lambda ever, sign: "broken" if ever == "yes" else states.get(sign)
    )
    return draft.finish("bracket_balance", output, "answers whether the brackets so far are balanced, open or broken")


def fraction_of_previous() -> Program:
    """The share of x among the tokens so far."""
    shares = sorted({Fraction(i, n) for n in range(1, 6) for i in range(n + 1)})
    fractions = [f"{share.numerator}/{share.denominator}" for share in shares]
    draft = Draft("xyz", 5, words=fractions)
    so_far = draft.select(POSITION, POSITION, lambda key, query: True)
    draft.mean("share", so_far, TOKENS, {"x": 1})
    output = draft.map("fraction", ("share",), lambda share: f"{share.numerator}/{share.denominator}")
    return draft.finish("fraction_of_previous", output, "answers the share of x among the tokens so far")


def induction() -> Program:
    """What came after this token the last time."""
    draft = Draft("abc", 6)
    before = draft.select(POSITION, POSITION, lambda key, query: key == query - 1)
    draft.aggregate("previous", before, TOKENS)
    after_same = draft.select("previous", TOKENS, lambda key, query: key == query)
    output = draft.aggregate("next", after_same, TOKENS, tie="latest")
    return draft.finish("induction", output, "answers what followed this token when it last came")


STATES = {"Dallas": "Texas", "Houston": "Texas", "Oakland": "California", "Fresno": "California", "Miami": "Florida"}
CAPITALS = {"Texas": "Austin", "California": "Sacramento", "Florida": "Tallahassee"}


def two_hop() -> Program:
    """Dallas → Texas → Austin: the state at the city's position, its capital where it is asked for."""
    draft = Draft((*STATES, "state", "capital"), 3, words=(*CAPITALS, *CAPITALS.values()))
    draft.map("state", (TOKENS,), STATES.get)
    cities = draft.select("state", TOKENS, lambda key, query: query in ("state", "capital"))
    draft.aggregate("asked", cities, "state", tie="latest")
    output = draft.map(
        "answer", ("asked", TOKENS), lambda state, word: {"state": state, "capital": CAPITALS[state]}.get(word)
    )
    return draft.finish("two_hop", output, "answers the state of a city, or the capital of its state")


def two_hop_in_place() -> Program:
    """Dallas → Texas → Austin at one position: two maps, one a layer, with no attention between them."""
    draft = Draft((*STATES, "?"), 2, words=tuple(CAPITALS.values()))
    before = draft.select(POSITION, POSITION, lambda key, query: key == query - 1)
    draft.aggregate("city", before, TOKENS)
    draft.map("state", ("city",), STATES.get)
    output = draft.map("capital", ("state", TOKENS), lambda state, token: CAPITALS[state] if token == "?" else None)
    return draft.finish("two_hop_in_place", output, "at ?, answers the capital of the state of the city before it")


def modular_addition(modulus: int = 5) -> Program:
    """The sum of this number and the one before."""
    draft = Draft([str(n) for n in range(modulus)], 3)
    before = draft.select(POSITION, POSITION, lambda key, query: key == query - 1)
    draft.aggregate("first", before, TOKENS)
    output = draft.map("sum", ("first", TOKENS), lambda a, b: str((int(a) + int(b)) % modulus))
    return draft.finish("modular_addition", output, f"answers this number plus the one before, modulo {modulus}")


def boolean_formulas() -> list[Program]:
    """AND, OR, XOR of two bits, an OR computed twice, and a chain over four bits, one layer a gate."""
    gates: dict[str, Callable[[bool, bool], bool]] = {
        "and": lambda a, b: a and b,
        "or": lambda a, b: a or b,
        "xor": lambda a, b: a != b,
    }
    programs = []
    for name, gate in gates.items():
        draft = _bits(2)
        output = _gate(draft, "out", ("bit_1", "bit_2"), gate)
        programs.append(draft.finish(f"boolean_{name}", output, f"answers bit 1 {name} bit 2"))
    draft = _bits(2)
    for copy in ("left", "right"):
        _gate(draft, copy, ("bit_1", "bit_2"), gates["or"])
    # Either copy is enough, also where the other is missing.
    output = draft.map("out", ("left", "right"), lambda a, b: "T" if "T" in (a, b) else "F", nones=True)
    about = "answers bit 1 or bit 2, computed twice: either copy is enough"
    programs.append(draft.finish("boolean_redundant_or", output, about))
    draft = _bits(4)
    _gate(draft, "both", ("bit_1", "bit_2"), gates["and"])
    _gate(draft, "odd", ("both", "bit_3"), gates["xor"])
    output = _gate(draft, "out", ("odd", "bit_4"), gates["or"])
    programs.append(draft.finish("boolean_chain", output, "answers ((bit 1 and bit 2) xor bit 3) or bit 4"))
    return programs


def _bits(n: int) -> Draft:
    draft = Draft("FT", n)
    for i in range(1, n + 1):
        there = draft.select(POSITION, POSITION, lambda key, query, i=i: key == i)
        draft.aggregate(f"bit_{i}", there, TOKENS)
    return draft


def _gate(draft: Draft, name: str, inputs: tuple[str, str], gate: Callable[[bool, bool], bool]) -> str:
    return draft.map(name, inputs, lambda a, b: "T" if gate(a == "T", b == "T") else "F")
