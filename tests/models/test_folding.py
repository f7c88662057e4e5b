import pytest
import torch
from torch import nn

from wm_lightning.models import DnCNN, PixelUnshuffleUNet
from wm_lightning.models.folding import fold_batchnorm


def lived(net):
    """A network whose BatchNorms have seen something, and whose last layer does."""
    [module for module in net.modules() if isinstance(module, nn.Conv2d)][-1].reset_parameters()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.3, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval()


@pytest.mark.parametrize("build", [lambda: PixelUnshuffleUNet((8, 12), attention=1), lambda: DnCNN(width=8, depth=5)])
def test_a_folded_network_does_the_same_without_batchnorm(build):
    torch.manual_seed(0)
    net, image = lived(build()), torch.rand(2, 3, 24, 40)
    with torch.no_grad():
        expected = net(image)
        assert not torch.equal(expected, image)
        assert sum(isinstance(module, nn.BatchNorm2d) for module in net.modules()) > 0
        torch.testing.assert_close(fold_batchnorm(net)(image), expected, rtol=0, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def test_batchnorm_without_a_convolution_before_it_stays():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    image = torch.rand(1, 3, 4, 4)
    expected = net(image)
    assert [type(module) for module in fold_batchnorm(net)] == [nn.BatchNorm2d, nn.Conv2d, nn.ReLU, nn.BatchNorm2d]
    torch.testing.assert_close(net(image), expected)
