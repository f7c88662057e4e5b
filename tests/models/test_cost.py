import pytest
import torch
from torch import nn

from wm_lightning.models import RestorationNet, SizeRequirement
from wm_lightning.models.cost import cost_of
from wm_lightning.types import Prediction


class OneConv(RestorationNet):
    size = SizeRequirement()

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def restore(self, image):
        return Prediction(self.conv(image))


@pytest.mark.parametrize("size", [32, 61])
def test_a_convolution_costs_two_operations_for_each_weight_and_pixel(size):
    net = OneConv()
    with torch.no_grad():
        cost = cost_of(net, net, size)
    assert cost.parameters == 3 * 3 * 9 + 3
    assert cost.gflops == pytest.approx(2 * 3 * 3 * 9 * 1e6 / 1e9)
    assert cost.seconds > 0
