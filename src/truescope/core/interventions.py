"""`Intervention`: one serialisable edit of activations. Steering, patching and testing are the same object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from truescope.core.errors import InterventionError, nearest
from truescope.core.sites import Site

EditKind = Literal["set", "add", "scale", "clamp", "ablate_zero", "ablate_mean", "project_out", "patch"]
"""What an edit does to the value at its site; see `Intervention`."""
EDIT_KINDS: tuple[str, ...] = get_args(EditKind)
"""The edits by name."""


@dataclass(frozen=True)
class Intervention:
    """An edit at a site, on some positions and some units.

    With ``x`` the site's value at the chosen positions and units and ``v`` the edit's value:

    - ``set``, ``patch``, ``ablate_mean``: x ← v (the names say why: a constant, another run's value, the mean)
    - ``ablate_zero``: x ← 0
    - ``add``: x ← x + v
    - ``scale``: x ← v · x
    - ``clamp``: x ← min(max(x, v[0]), v[1])
    - ``project_out``: x ← x − (x·u)u with u = v/‖v‖, over the whole last axis

    ``value`` is a number, nested lists, or an array or tensor that broadcasts against ``x[batch, pos, units]``.
    ``positions`` is None (all), a tuple of integers (negative ones count from the end), or a ``slice`` (a span).
    ``units`` is None (all) or a tuple of indices of the site's last axis. With a ``dictionary`` the edit acts on its
    features instead, in delta form: x ← x + (dec(z′) − dec(z)), where z′ is the edited code; ``units`` are then
    features and ``dictionary`` is the key under which the run was given it.
    """

    site: Site
    kind: EditKind | str
    value: Any = None
    positions: tuple[int, ...] | slice | None = None
    units: tuple[int, ...] | None = None
    dictionary: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in EDIT_KINDS:
            raise InterventionError(
                f"there is no edit {self.kind!r}",
                why=f"the edits are {', '.join(EDIT_KINDS)}",
                fix=nearest(self.kind, EDIT_KINDS),
            )
        if self.kind == "ablate_zero":
            if self.value is not None:
                raise InterventionError("ablate_zero takes no value", fix="use set to write another value")
        elif self.value is None:
            raise InterventionError(f"{self.kind} at {self.site} needs a value")
        if self.kind == "project_out" and self.units is not None:
            raise InterventionError("project_out acts on the whole axis", fix="leave units out")

    def to_json(self) -> dict[str, Any]:
        """A plain object; arrays and tensors become nested lists."""
        record = asdict(self) | {"site": str(self.site), "value": _plain(self.value)}
        if isinstance(self.positions, slice):
            record["positions"] = {"span": [self.positions.start, self.positions.stop, self.positions.step]}
        return record

    @staticmethod
    def from_json(record: dict[str, Any]) -> Intervention:
        """The inverse of `to_json`.

        Raises:
            InterventionError: a field is missing or of the wrong form.
        """
        try:
            positions = record.get("positions")
            if isinstance(positions, dict):
                positions = slice(*positions["span"])
            elif positions is not None:
                positions = tuple(int(p) for p in positions)
            units = record.get("units")
            return Intervention(
                site=Site.parse(record["site"]),
                kind=record["kind"],
                value=record.get("value"),
                positions=positions,
                units=None if units is None else tuple(int(u) for u in units),
                dictionary=record.get("dictionary"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InterventionError(
                f"not an intervention: {record!r:.200}", why=f"{type(error).__name__}: {error}"
            ) from error


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
