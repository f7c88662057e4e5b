"""Muon: steps along the orthogonalised momentum of a weight matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from wm_lightning.errors import ArgumentError
from wm_lightning.hardware import cpu_has_bf16

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of the quintic, from the source below
ITERATIONS = 5
LEAST_SIDE = 16  # smaller matrices, such as depthwise kernels and a first layer's, have too little to orthogonalise


class Muon(Optimizer):
    """Muon for the convolutions inside a network, AdamW for all else.

    A convolution's weight (out, in, k, k) is taken as a matrix of ``out`` rows. Its step is ``U V^T`` of the momentum's
    singular value decomposition ``U S V^T``, approximated by five Newton-Schulz iterations (Jordan et al., "Muon: An
    optimizer for hidden layers in neural networks", 2024), times ``sqrt(max(1, rows / columns))``. They compute in
    bfloat16 where the hardware does, else in float32: emulated, they would take most of a step.
    PyTorch's own takes matrices only, and no other parameters beside them.

    Args:
        params: A network's parameters.
        lr: Step of the orthogonalised weights.
        momentum: Of Muon, with Nesterov's look ahead.
        weight_decay: Decoupled, of Muon's weights.
        adamw_lr: Learning rate of all other parameters.
        adamw_betas: Of AdamW.
        adamw_weight_decay: Decoupled, of all other parameters.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        adamw_lr: float = 2e-3,
        adamw_betas: tuple[float, float] = (0.9, 0.999),
        adamw_weight_decay: float = 1e-4,
    ) -> None:
        numbers = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "adamw_lr": adamw_lr,
            "adamw_weight_decay": adamw_weight_decay,
        }  # fmt: skip
        for key, value in numbers.items():
            if value < 0 or (key == "momentum" and value >= 1):
                bound = "at least 0 and below 1" if key == "momentum" else "at least 0"
                raise ArgumentError("{" + key + "}={} must be {}.", value, bound)
        given = list(params)
        chosen = [parameter for parameter in given if _is_inner(parameter)]
        others = [parameter for parameter in given if not _is_inner(parameter)]
        groups: list[dict[str, Any]] = []
        if chosen:
            groups.append(
                {"params": chosen, "muon": True, "lr": lr, "momentum": momentum, "weight_decay": weight_decay}
            )
        if others:
            groups.append(
                {
                    "params": others, "muon": False, "lr": adamw_lr, "betas": tuple(adamw_betas),
                    "weight_decay": adamw_weight_decay,
                }
            )  # fmt: skip
        super().__init__(groups, {})
        self._cpu_dtype = torch.bfloat16 if cpu_has_bf16() else torch.float32

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Takes one step; parameters without a gradient stay."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            with_gradient = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["muon"]:
                for parameter in with_gradient:
                    self._orthogonal_step(parameter, group)
            elif with_gradient:
                self._adamw_step(with_gradient, group)
        return loss

    def _orthogonal_step(self, weight: Tensor, group: dict[str, Any]) -> None:
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(weight.grad, 1 - group["momentum"])
        ahead = weight.grad.lerp(momentum, group["momentum"]).flatten(1)
        scale = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        dtype = self._cpu_dtype if weight.device.type == "cpu" else torch.bfloat16
        weight.add_(orthogonalised(ahead, dtype).view(weight.shape), alpha=-group["lr"] * scale)

    def _adamw_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter].update(
                    step=torch.zeros(()), exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter)
                )
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def orthogonalised(matrix: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Brings a matrix's singular values near 1, roughly 0.7 to 1.2, and keeps its singular vectors.

    Args:
        matrix: (rows, columns).
        dtype: What to compute in.

    Returns:
        The same shape and type; zeros for zeros.
    """
    a, b, c = NEWTON_SCHULZ
    upright = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if upright else matrix).to(dtype)
    x = x / (x.norm() + 1e-7)  # the iteration needs singular values of at most 1
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    out: Tensor = x.T if upright else x
    return out.to(matrix.dtype)


def _is_inner(parameter: Tensor) -> bool:
    return parameter.ndim == 4 and min(parameter.shape[0], parameter[0].numel()) >= LEAST_SIDE
