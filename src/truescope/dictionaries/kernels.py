"""The sparse half of a dictionary: select features, decode them, and take gradients at the kept entries only.

With pre-activations p = W_enc x + b_enc, an activation keeps a few entries (position, feature) of p and gives each a
value z. From there on nothing is dense:

    decode            ŷ[b]          = Σ z · W_dec[j]      over the kept j of position b
    decoder gradient  dz            = ⟨W_dec[j], dŷ[b]⟩,   dW_dec[j] = Σ z · dŷ[b]
    encoder gradient  dW_enc[j]     = Σ dp · x[b],         db_enc[j] = Σ dp   over the positions b that keep j

Every weight is feature-major, `[n_features, d]`. `d_in` and `d_out` are free: a transcoder has two sites, and a
cross-layer transcoder's feature writes one concatenated row [layers · d_model].

Each function is plain torch on any device; on a CPU in float32 or float64 the loops of `compiled` take its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.dictionaries import compiled

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}
_EVERY_COLUMN = torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class Codes:
    """The kept entries of a batch in compressed rows: position b holds entries `offsets[b]:offsets[b + 1]`."""

    offsets: Int[Tensor, " pos_and_one"]
    indices: Int[Tensor, " kept"]
    values: Float[Tensor, " kept"]

    @property
    def n_positions(self) -> int:
        return self.offsets.numel() - 1

    @property
    def positions(self) -> Int[Tensor, " kept"]:
        """The position of each entry."""
        return torch.repeat_interleave(self.offsets.diff(), output_size=self.indices.numel())

    def with_values(self, values: Float[Tensor, " kept"]) -> Codes:
        return replace(self, values=values)

    def dense(self, n_features: int) -> Float[Tensor, "pos n_features"]:
        """The code as a matrix; for small things."""
        matrix = self.values.new_zeros(self.n_positions, n_features)
        return matrix.index_put_((self.positions, self.indices), self.values, accumulate=True)


@dataclass(frozen=True)
class FeatureOrder:
    """The entries of some codes by feature: feature j owns slots `starts[j]:starts[j + 1]` of the other two."""

    starts: Int[Tensor, " n_features_and_one"]
    entries: Int[Tensor, " kept"]
    positions: Int[Tensor, " kept"]

    @property
    def features(self) -> Int[Tensor, " kept"]:
        """The feature of each slot."""
        return torch.repeat_interleave(self.starts.diff(), output_size=self.entries.numel())


def _use_compiled(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype in _BITS


def concatenate(parts: list[Codes]) -> Codes:
    """The codes of several batches, one below the other."""
    offsets, below = [parts[0].offsets[:1]], 0
    for part in parts:
        offsets.append(part.offsets[1:] + below)
        below += part.indices.numel()
    return Codes(
        torch.cat(offsets), torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])
    )


def top_k(
    pre: Float[Tensor, "pos n_features"], k: int, columns: Int[Tensor, " subset"] | None = None
) -> tuple[Float[Tensor, "pos k"], Int[Tensor, "pos k"]]:
    """The `k` largest of each row (among `columns`, in ascending order, if given) and their columns, ascending.

    Exact. Of values equal to the k-th largest, the lowest columns are kept on a CPU; elsewhere the device chooses.
    """
    n_candidates = pre.shape[1] if columns is None else columns.numel()
    if not 1 <= k <= n_candidates:
        raise UsageError(
            f"top_k: k is {k}, of {n_candidates} columns",
            why="a row has no such number of largest values",
            fix=f"choose k between 1 and {n_candidates}",
        )
    if not _use_compiled(pre):
        return _top_k_torch(pre, k, columns)
    values = pre.new_empty(pre.shape[0], k)
    indices = torch.empty(pre.shape[0], k, dtype=torch.int64)
    if pre.shape[0]:
        pre = pre.detach().contiguous()
        chosen = _EVERY_COLUMN if columns is None else columns
        # About √(k n) tiles: as many maxima to order as there are columns to look at in the k best tiles.
        n_tiles = min(n_candidates, max(k, 1 << round((k * n_candidates) ** 0.5).bit_length() - 1))
        arrays = [t.numpy() for t in (pre, pre.view(_BITS[pre.dtype]), chosen)]
        bounds = compiled.even_bounds(pre.shape[0])
        compiled.in_threads(compiled.top_k, bounds, *arrays, k, n_tiles, values.numpy(), indices.numpy())
    return values, indices


def _top_k_torch(pre: Tensor, k: int, columns: Tensor | None) -> tuple[Tensor, Tensor]:
    candidates = pre if columns is None else pre.index_select(1, columns)
    found = candidates.topk(k, dim=1, sorted=False).indices.sort(dim=1).values
    return candidates.gather(1, found), found if columns is None else columns[found]


def from_top_k(values: Float[Tensor, "pos k"], indices: Int[Tensor, "pos k"]) -> Codes:
    """Codes with the same number of entries at each position."""
    n_positions, k = values.shape
    offsets = torch.arange(0, n_positions * k + 1, k, device=values.device)
    return Codes(offsets, indices.reshape(-1), values.reshape(-1))


def above(pre: Float[Tensor, "pos n_features"], floor: Float[Tensor, " n_features"]) -> Codes:
    """Every entry larger than the floor of its feature."""
    positions, indices = (pre > floor).nonzero(as_tuple=True)
    counts = torch.bincount(positions, minlength=pre.shape[0])
    return Codes(F.pad(counts.cumsum(0), (1, 0)), indices, pre[positions, indices])


def sparse_decode(codes: Codes, weight: Float[Tensor, "n_features d_out"]) -> Float[Tensor, "pos d_out"]:
    """Σ value · weight[feature] for each position.

    With the gradient of the pre-activations as values and the encoder's weight it is the gradient of the input.
    """
    if codes.indices.numel() == 0:
        return weight.new_zeros(codes.n_positions, weight.shape[1])
    return F.embedding_bag(
        codes.indices, weight, codes.offsets, mode="sum", per_sample_weights=codes.values, include_last_offset=True
    )


def by_feature(codes: Codes, n_features: int) -> FeatureOrder:
    """The entries sorted by feature, then by position: the order both weight gradients are summed in."""
    if not _use_compiled(codes.values):
        entries = codes.indices.argsort(stable=True)
        counts = torch.bincount(codes.indices, minlength=n_features)
        return FeatureOrder(F.pad(counts.cumsum(0), (1, 0)), entries, codes.positions[entries])
    starts = torch.zeros(n_features + 1, dtype=torch.int64)
    entries, positions = torch.empty_like(codes.indices), torch.empty_like(codes.indices)
    compiled.by_feature(*(t.numpy() for t in (codes.offsets, codes.indices, starts, entries, positions)))
    return FeatureOrder(starts, entries, positions)


def decoder_backward(
    codes: Codes,
    order: FeatureOrder,
    d_output: Float[Tensor, "pos d_out"],
    weight: Float[Tensor, "n_features d_out"],
    *,
    d_weight: Float[Tensor, "n_features d_out"],
    tangent: bool = False,
) -> Float[Tensor, " kept"]:
    """Write the decoder's gradient over `d_weight` and return the gradient of each kept value.

    `tangent` leaves out the component of each row's gradient along the row: what only changes an atom's length.
    """
    weight = weight.detach()
    if _use_compiled(weight):
        d_values = torch.empty_like(codes.values)
        tensors = (order.starts, order.entries, order.positions, codes.values, d_output.contiguous(), weight)
        arrays = [tensor.numpy() for tensor in tensors]
        bounds = compiled.feature_bounds(arrays[0])
        outputs = d_values.numpy(), d_weight.numpy()
        compiled.in_threads(compiled.decoder_backward, bounds, *arrays, tangent, *outputs)
        return d_values
    arriving = d_output[order.positions]
    d_values = torch.empty_like(codes.values)
    d_values[order.entries] = torch.linalg.vecdot(arriving, weight[order.features])
    d_weight.zero_().index_add_(0, order.features, codes.values[order.entries, None] * arriving)
    if tangent:
        square = torch.linalg.vecdot(weight, weight)
        along = torch.linalg.vecdot(weight, d_weight) / torch.where(square > 0, square, 1)
        d_weight.sub_(along[:, None] * weight)
    return d_values


def encoder_backward(
    order: FeatureOrder,
    d_pre: Float[Tensor, " kept"],
    inputs: Float[Tensor, "pos d_in"],
    *,
    d_weight: Float[Tensor, "n_features d_in"],
    d_bias: Float[Tensor, " n_features"],
) -> None:
    """Write the encoder's gradients over `d_weight` and `d_bias`, given the gradient of each kept pre-activation."""
    if _use_compiled(d_weight):
        tensors = (order.starts, order.entries, order.positions, d_pre, inputs.contiguous(), d_weight, d_bias)
        arrays = [tensor.numpy() for tensor in tensors]
        compiled.in_threads(compiled.encoder_backward, compiled.feature_bounds(arrays[0]), *arrays)
        return
    slopes = d_pre[order.entries]
    d_bias.zero_().index_add_(0, order.features, slopes)
    d_weight.zero_().index_add_(0, order.features, slopes[:, None] * inputs[order.positions])
