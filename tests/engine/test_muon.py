import copy

import numpy as np
import pytest
import torch
from torch import nn

from wm_lightning.engine import Muon, muon
from wm_lightning.engine.muon import orthogonalised


def net_of(seed=0):
    """Two convolutions that Muon takes, and a first layer, a bias, a norm and a depthwise kernel that it does not."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 20, 3, padding=1),
        nn.BatchNorm2d(20),
        nn.Conv2d(20, 20, 3, padding=1, groups=20),
        nn.Conv2d(20, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 16, 1),
    )


INNER = {"3.weight", "5.weight"}


@pytest.mark.parametrize("shape", [(20, 180), (64, 16), (30, 30), (16, 17)])
def test_singular_values_come_near_1_and_vectors_stay(shape):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    out = orthogonalised(matrix)
    assert out.shape == matrix.shape
    assert out.dtype == matrix.dtype
    u, s, vt = np.linalg.svd(matrix.double().numpy(), full_matrices=False)
    wide = s > 0.05 * s.max()  # what is nearly 0 takes more than five iterations
    found = np.diag(u.T @ out.double().numpy() @ vt.T)
    assert (found[wide] > 0.6).all()
    assert (found < 1.35).all()
    off = u.T @ out.double().numpy() @ vt.T - np.diag(found)
    assert np.abs(off).max() < 0.1


def test_scale_of_the_matrix_does_not_matter_and_zeros_stay():
    matrix = torch.randn(20, 40, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalised(matrix), orthogonalised(1024 * matrix), rtol=0, atol=0.02)
    assert (orthogonalised(torch.zeros(20, 40)) == 0).all()


def test_inner_convolutions_are_muons_and_all_else_adamws():
    net = net_of()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    groups = {group["muon"]: {names[id(p)] for p in group["params"]} for group in Muon(net.parameters()).param_groups}
    assert groups[True] == INNER
    assert groups[False] == set(names.values()) - INNER


def test_a_step_by_hand():
    weight = nn.Parameter(torch.randn(32, 2, 3, 3, generator=torch.Generator().manual_seed(2)))
    before, momentum = weight.detach().clone(), torch.zeros_like(weight)
    optimizer = Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.5)
    for seed in (3, 4):
        weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
        momentum = 0.9 * momentum + 0.1 * weight.grad
        ahead = (0.1 * weight.grad + 0.9 * momentum).reshape(32, 18)
        step = orthogonalised(ahead).reshape(weight.shape) * (32 / 18) ** 0.5
        before = before * (1 - 0.1 * 0.5) - 0.1 * step
        optimizer.step()
        torch.testing.assert_close(weight.detach(), before, rtol=1e-3, atol=1e-3)  # the iteration is in bfloat16


def test_all_else_steps_as_pytorchs_adamw():
    ours, theirs = net_of(), net_of()
    muon = Muon(ours.parameters(), lr=0, weight_decay=0, adamw_lr=0.01, adamw_betas=(0.8, 0.9), adamw_weight_decay=0.1)
    others = [parameter for name, parameter in theirs.named_parameters() if name not in INNER]
    adamw = torch.optim.AdamW(others, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1)
    image = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    for _ in range(3):
        for net, optimizer in ((ours, muon), (theirs, adamw)):
            net.zero_grad()
            net(image).square().mean().backward()
            optimizer.step()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, msg=name)


def test_it_learns():
    net, generator = net_of(), torch.Generator().manual_seed(6)
    image = torch.randn((4, 1, 8, 8), generator=generator)
    target = image.expand(4, 16, 8, 8)
    optimizer = Muon(net.parameters())
    losses = []
    for _ in range(30):
        net.zero_grad()
        loss = (net(image) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_going_on_from_a_saved_state_is_the_same_as_not_stopping():
    def step(net, optimizer, seed):
        image = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
        net.zero_grad()
        net(image).square().mean().backward()
        optimizer.step()

    net = net_of()
    optimizer = Muon(net.parameters())
    step(net, optimizer, 1)
    other = net_of(seed=9)
    other.load_state_dict(copy.deepcopy(net.state_dict()))
    resumed = Muon(other.parameters())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for net_, optimizer_ in ((net, optimizer), (other, resumed)):
        step(net_, optimizer_, 2)
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_parameter_without_a_gradient_stays():
    net = net_of()
    before = copy.deepcopy(net.state_dict())
    Muon(net.parameters()).step()
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"lr": -1}, "^lr=-1 must be at least 0"), ({"momentum": 1.0}, "^momentum=1.0 must be at least 0 and below 1")],
)
def test_numbers_out_of_range_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Muon(net_of().parameters(), **options)


@pytest.mark.parametrize("has_bf16", [True, False])
def test_the_iterations_compute_in_what_the_cpu_is_fast_in(monkeypatch, has_bf16):
    monkeypatch.setattr(muon, "cpu_has_bf16", lambda: has_bf16)
    weight = torch.nn.Parameter(torch.randn((16, 16, 1, 1), generator=torch.Generator().manual_seed(0)))
    optimizer = Muon([weight], lr=1.0, weight_decay=0.0)
    weight.grad, before = weight.detach().clone(), weight.detach().clone()
    optimizer.step()
    step = (before - weight.detach()).flatten(1)
    to_bf16 = (step - step.bfloat16().float()).abs().max()
    assert (to_bf16 < 1e-6) == has_bf16  # the weights themselves stay float32
    assert (step - orthogonalised(before.flatten(1), torch.float32)).abs().max() < (0.1 if has_bf16 else 1e-5)
