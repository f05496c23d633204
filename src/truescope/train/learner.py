"""`Learner`: the weights in training, their optimiser, and one step; the units are normalised, ỹ = (y − μ) / t.

At each written site μ is the mean of the training data and t one number, the root mean square of y − μ, so that every
layer has the same say. `dictionary` gives the result in the units of the model: W_dec · t and b_dec · t + μ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group, Normalisation, layer_sites
from truescope.dictionaries.cross_layer import JumpReLU, cross_layer_gradients
from truescope.dictionaries.differentiable import sparse_map
from truescope.dictionaries.gradients import AuxK, Weights, gradient, jump_relu_gradients, top_k_gradients
from truescope.dictionaries.kernels import Codes
from truescope.dictionaries.optimiser import adam, count_silence_, dead_features, normalise_rows_
from truescope.train.config import TrainConfig

Sample = Mapping[Site, Float[Tensor, "pos d"]]


class Learner:
    """Made from a sample of the training data, whose means, sizes and directions it starts from.

    Feature j of a group begins at a token of the sample: its encoder row points along x̃, its decoder row along the ỹ
    of all the sites it writes, both scaled so that the first reconstruction is of the right size. So every feature
    begins where data are, and few die.
    """

    def __init__(self, config: TrainConfig, n_layers: int, sample: Sample, site: Site | None = None) -> None:
        self.config = config
        self.shape = layer_sites(config.kind, range(n_layers), site)
        self.writes = tuple(sorted({s for _, written in self.shape for s in written}))
        self.inputs = {reads: Normalisation.fit(config.normalisation, sample[reads]) for reads, _ in self.shape}
        self.outputs = {s: Normalisation.fit("affine", sample[s]) for s in self.writes}
        generator = torch.Generator().manual_seed(config.seed)
        self.weights = [self._start(sample, reads, written, generator) for reads, written in self.shape]
        self.silent = [torch.zeros(config.n_features, dtype=torch.int64) for _ in self.shape]
        self.optimiser = adam([t for w in self.weights for t in w.tensors()], config.rate(0))

    def _start(self, sample: Sample, reads: Site, written: tuple[Site, ...], generator: torch.Generator) -> Weights:
        n = self.config.n_features
        n_sample = len(sample[reads])
        chosen = torch.cat([torch.randperm(n_sample, generator=generator) for _ in range(-(-n // n_sample))])[:n]
        x = self.inputs[reads](sample[reads][chosen])
        W_enc = x / x.norm(dim=1, keepdim=True).clamp(min=1e-6)
        W_dec = torch.cat([self.outputs[s](sample[s][chosen]) for s in written], dim=1)
        # Tokens that occur twice must not stay twins.
        W_dec = W_dec + 1e-3 * torch.randn(W_dec.shape, generator=generator).to(W_dec)
        normalise_rows_(W_dec)
        W_enc = W_enc * self._gain(sample, reads, written, W_enc, W_dec)
        d = W_dec.shape[1] // len(written)
        jump = self.config.activation == "jumprelu"
        return Weights(
            W_enc=W_enc,
            b_enc=x.new_zeros(n),
            W_dec=W_dec,
            b_dec=x.new_zeros(d),
            W_skip=x.new_zeros(d, x.shape[1]) if self.config.skip else None,
            log_threshold=self._threshold(sample[reads], reads, W_enc) if jump else None,
        )

    def _gain(
        self, sample: Sample, reads: Site, written: tuple[Site, ...], W_enc: Tensor, W_dec: Tensor, n: int = 2048
    ) -> float:
        """The size of the encoder with which the code rebuilds the outputs best: ⟨ŷ, y⟩ / ⟨ŷ, ŷ⟩ on some tokens."""
        x = self.inputs[reads](sample[reads][:n])
        y = torch.cat([self.outputs[s](sample[s][:n]) for s in written], dim=1)
        rebuilt = sparse_map(x, W_enc, x.new_zeros(len(W_enc)), W_dec, k=self.config.k)
        gain = float((rebuilt * y).sum() / rebuilt.square().sum().clamp(min=1e-12))
        # Every layer hears all the groups below it, each of which would rebuild it whole.
        return max(gain, 1e-3) / (len(self.shape) if self.config.kind == "clt" else 1)

    def _threshold(self, value: Tensor, reads: Site, W_enc: Tensor, n: int = 2048) -> Tensor:
        """log θ, the same for all features: about k of them are above it at a position of the sample."""
        pre = self.inputs[reads](value[:n]) @ W_enc.T
        kth = float(pre.topk(self.config.k, dim=1).values[:, -1].mean())
        return torch.full_like(W_enc[:, 0], math.log(max(kth, 1e-3)))

    def step(self, sample: Sample, rate: float, step: int, extra: Tensor | None = None) -> dict[str, Any]:
        """One update on a batch of tokens; ``extra`` is another loss, already a graph over the weights.

        Returns the loss of each written site (the unexplained share of the batch), L0, and how many features are dead.
        """
        x = [self.inputs[reads](sample[reads]) for reads, _ in self.shape]
        y = [self.outputs[written[0]](sample[written[0]]) for _, written in self.shape]
        dead = [dead_features(silent, self.config.dead_after) for silent in self.silent]
        shares, codes = self._gradients(x, y, dead, step)
        if extra is not None:
            self._add_gradients(extra)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        for weights, silent, code in zip(self.weights, self.silent, codes, strict=True):
            count_silence_(silent, code)
            if self.config.unit_decoder:
                normalise_rows_(weights.W_dec)
        n_active = sum(int((code.values > 0).sum()) for code in codes)
        return {
            "loss": [round(float(share), 6) for share in shares],
            "l0": round(n_active / sum(code.n_positions for code in codes), 3),
            "dead": [int(d.numel()) for d in dead],
        }

    def _gradients(
        self, x: list[Tensor], y: list[Tensor], dead: list[Tensor], step: int
    ) -> tuple[list[Tensor], list[Codes]]:
        config = self.config
        # Normalised outputs have mean square 1 an entry.
        scale = 1.0 / y[0].shape[1]
        n_aux = 1 << max(0, (self.weights[0].W_dec.shape[1] // 2).bit_length() - 1)
        aux = [AuxK(d, min(n_aux, 512), config.aux_coefficient) for d in dead]
        jump = None
        if config.activation == "jumprelu":
            # λ rises over the whole run, as in the circuit-tracing recipe.
            jump = JumpReLU(config.bandwidth, config.l0_coefficient * (step + 1) / config.n_steps)
        if config.kind == "clt":
            scales = [scale * len(x)] * len(x)
            k = config.k if jump is None else None
            found = cross_layer_gradients(
                self.weights, x, y, k=k, jump=jump, scales=scales, aux=aux, tangent=config.unit_decoder
            )
            return list(found.reconstruction / len(x)), found.codes
        shares, codes = [], []
        for weights, x_l, y_l, aux_l in zip(self.weights, x, y, aux, strict=True):
            if jump is not None:
                bandwidth, l0 = jump.bandwidth, jump.l0_coefficient
                loss = jump_relu_gradients(
                    weights, x_l, y_l, bandwidth=bandwidth, l0_coefficient=l0, scale=scale, tangent=config.unit_decoder
                )
            else:
                loss = top_k_gradients(weights, x_l, y_l, config.k, scale=scale, aux=aux_l, tangent=config.unit_decoder)
            shares.append(loss.reconstruction)
            codes.append(loss.codes)
        return shares, codes

    def _add_gradients(self, extra: Tensor) -> None:
        """Add those of ``extra``, each cut to the length of the gradient that is there.

        Adam's moments know the size of the first loss only: a larger second one would throw the weights about. For a
        unit decoder only what turns its rows is added.
        """
        tensors = [t for w in self.weights for t in w.tensors() if t.requires_grad]
        found = torch.autograd.grad(extra, tensors, allow_unused=True)
        decoders = {id(w.W_dec) for w in self.weights}
        for tensor, grad in zip(tensors, found, strict=True):
            if grad is None:
                continue
            if self.config.unit_decoder and id(tensor) in decoders:
                grad = grad - (grad * tensor.detach()).sum(1, keepdim=True) * tensor.detach()
            here = gradient(tensor)
            longest = torch.linalg.vector_norm(here)
            here.add_(grad * (longest / torch.linalg.vector_norm(grad).clamp(min=1e-20)).clamp(max=1.0))

    def require_gradients(self, wanted: bool) -> None:
        """Whether `write` builds a graph over the weights."""
        for weights in self.weights:
            for tensor in weights.tensors():
                tensor.requires_grad_(wanted)

    @property
    def reads(self) -> tuple[Site, ...]:
        """The sites whose values the features are made of."""
        return tuple(reads for reads, _ in self.shape)

    def write(self, site: Site, x: Float[Tensor, "pos d_in"]) -> dict[Site, Float[Tensor, "pos d_written"]]:
        """What the features that read ``site`` write, in the units of the model, with gradients."""
        index = self.reads.index(site)
        weights, written = self.weights[index], self.shape[index][1]
        x = self.inputs[site](x)
        theta = None if weights.log_threshold is None else weights.log_threshold.detach().exp()
        k = self.config.k if theta is None else None
        parts = sparse_map(x, weights.W_enc, weights.b_enc, weights.W_dec, k=k, threshold=theta)
        pieces = list(parts.chunk(len(written), dim=1))
        if weights.W_skip is not None:
            pieces[0] = pieces[0] + x @ weights.W_skip.T
        return {s: piece * self._size(s) for s, piece in zip(written, pieces, strict=True)}

    def _size(self, site: Site) -> float:
        return self.outputs[site].scale or 1.0

    @property
    def b_dec(self) -> dict[Site, Float[Tensor, " d_written"]]:
        """The constant written at each site, in the units of the model."""
        own = {written[0]: weights.b_dec for weights, (_, written) in zip(self.weights, self.shape, strict=True)}
        means = {s: normal.mean for s, normal in self.outputs.items() if normal.mean is not None}
        return {s: own[s] * self._size(s) + means[s] for s in self.writes}

    @torch.no_grad()
    def dictionary(self, name: str, model_hash: str, info: Mapping[str, Any]) -> Dictionary:
        """The weights so far as a dictionary, in the units of the model."""
        groups = []
        biases = {site: bias.detach().clone() for site, bias in self.b_dec.items()}
        for weights, (reads, written) in zip(self.weights, self.shape, strict=True):
            d = weights.b_dec.numel()
            sizes = torch.tensor([self._size(s) for s in written]).repeat_interleave(d)
            W_skip = None
            if weights.W_skip is not None:
                # The file's skip acts on the raw value.
                normal = self.inputs[reads]
                W_skip = weights.W_skip.detach() * (self._size(written[0]) / (normal.scale or 1.0))
                if normal.mean is not None:
                    biases[written[0]] -= W_skip @ normal.mean
            groups.append(
                Group(
                    reads=reads,
                    writes=written,
                    W_enc=weights.W_enc.detach().clone(),
                    b_enc=weights.b_enc.detach().clone(),
                    W_dec=weights.W_dec.detach() * sizes,
                    normalisation=self.inputs[reads],
                    threshold=None if weights.log_threshold is None else weights.log_threshold.detach().exp(),
                    W_skip=W_skip,
                )
            )
        k = self.config.k if self.config.activation == "topk" else None
        return Dictionary(
            name, self.config.kind, self.config.activation, tuple(groups), biases, k, model_hash, dict(info)
        )

    def state(self) -> dict[str, Tensor]:
        """Every tensor a resumed run needs: weights, both moments of Adam, silent counts, constants."""
        tensors: dict[str, Tensor] = {}
        for index, weights in enumerate(self.weights):
            tensors[f"{index}/silent"] = self.silent[index]
            for name, tensor in _named(weights).items():
                tensors[f"{index}/{name}"] = tensor.detach()
                for key, value in self.optimiser.state[tensor].items():
                    tensors[f"{index}/{name}/{key}"] = value
        for site, normal in [*self.inputs.items(), *((s, n) for s, n in self.outputs.items() if s not in self.inputs)]:
            if normal.mean is not None and normal.scale is not None:
                tensors[f"{site}/mean"] = normal.mean
                tensors[f"{site}/scale"] = torch.tensor(normal.scale, dtype=torch.float64)
        return tensors

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put `state` back. Raises KeyError where a tensor is missing."""
        for index, weights in enumerate(self.weights):
            self.silent[index].copy_(tensors[f"{index}/silent"])
            for name, tensor in _named(weights).items():
                tensor.copy_(tensors[f"{index}/{name}"])
                keys = [key for key in tensors if key.startswith(f"{index}/{name}/")]
                if keys:
                    self.optimiser.state[tensor] = {key.rsplit("/", 1)[1]: tensors[key].clone() for key in keys}
        for table in (self.inputs, self.outputs):
            for site, normal in table.items():
                if normal.kind == "affine":
                    scale = float(tensors[f"{site}/scale"])
                    table[site] = Normalisation("affine", tensors[f"{site}/mean"].clone(), scale)


def _named(weights: Weights) -> dict[str, Tensor]:
    return {name: value for name, value in vars(weights).items() if isinstance(value, Tensor)}


@lru_cache(maxsize=4)
def order(n: int, seed: int, epoch: int) -> Int[Tensor, " n"]:
    """The order of an epoch: a function of seed and epoch alone, so a resumed run needs no state of a generator."""
    return torch.randperm(n, generator=torch.Generator().manual_seed((seed * 1_000_003 + epoch) % (1 << 62)))
