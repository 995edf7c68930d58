import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dense_descriptor_ros.preprocess import RGB_MEAN, RGB_STD
from dense_descriptor_ros.training.augmentation import byol_views
from dense_descriptor_ros.training.augmentation.byol_views import (
    cropped,
    first_view,
    second_view,
    view_transform,
)
from dense_descriptor_ros.training.encoder import input_channels


def stripes(height=24, width=32):
    """Black and white edges (3, H, W): a bicubic kernel overshoots at each."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    image[:, :, ::8] = image[:, :, 1::8] = image[:, :, 2::8] = image[:, :, 3::8] = 255
    return image


def test_a_crop_is_the_bicubic_image_of_its_box_clamped_and_not_wrapped():
    image, box = stripes(), np.array([3, 2, 29, 22])
    part = image[None, :, 2:22, 3:29].float() / 255
    reference = F.interpolate(part, (64, 64), mode='bicubic', antialias=True)[0]
    assert float(reference.min()) < -0.05 and float(reference.max()) > 1.05
    view = cropped(image, box, 64)
    assert view.dtype == torch.uint8
    torch.testing.assert_close(view.float() / 255, reference.clamp(0, 1), atol=1.01 / 255, rtol=0)


def test_what_the_network_sees_was_clamped_before_it_was_normalised():
    view = cropped(stripes(), np.array([0, 0, 32, 24]), 64)
    colour = input_channels(view[None])[0, :3]
    darkest, brightest = ((value - RGB_MEAN[0]) / RGB_STD[0] for value in (0.0, 1.0))
    # A clamp to 0 to 1 after normalising would take every dark pixel to 0 and every bright one to 1.
    assert float(colour.min()) == pytest.approx(darkest, abs=1e-5)
    assert float(colour.max()) == pytest.approx(brightest, abs=1e-5)
    assert float((colour < 0).float().mean()) > 0.3 and float((colour > 1).float().mean()) > 0.3


def test_a_crop_of_the_right_size_is_the_part_itself():
    image = torch.randint(0, 256, (3, 40, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(cropped(image, np.array([7, 5, 39, 37]), 32), image[:, 5:37, 7:39])


def test_without_probabilities_only_jitter_and_grey_are_left(monkeypatch):
    monkeypatch.setattr(byol_views, 'JITTER_PROBABILITY', 0.0)
    monkeypatch.setattr(byol_views, 'GREY_PROBABILITY', 0.0)
    image = stripes()
    assert torch.equal(view_transform(32, blur=0, solarise=0, mirror=0)(image), image)
    assert torch.equal(view_transform(32, blur=0, solarise=0, mirror=1)(image), image.flip(-1))
    solarised = view_transform(32, blur=0, solarise=1, mirror=0)(image)
    assert torch.equal(solarised, torch.where(image >= 128, 255 - image, image))
    blurred = view_transform(32, blur=1, solarise=0, mirror=0)(image)
    assert not torch.equal(blurred, image) and blurred.float().mean() == pytest.approx(
        float(image.float().mean()), abs=3
    )


def shares(transform, count=400):
    """Shares of views of a coloured picture that are grey, and that are dark where it was bright."""
    image = torch.full((3, 32, 32), 250, dtype=torch.uint8)
    image[2] = 200
    torch.manual_seed(0)
    views = torch.stack([transform(image) for _ in range(count)]).float()
    grey = ((views[:, 0] - views[:, 2]).abs().amax((1, 2)) < 0.5).float().mean()
    return float(grey), float((views.mean((1, 2, 3)) < 100).float().mean())


def test_one_view_in_five_is_grey_and_only_the_second_kind_is_solarised():
    grey, dark = shares(first_view(32, 0.5))
    assert 0.13 < grey < 0.3 and dark == 0
    grey, dark = shares(second_view(32, 0.5))
    assert 0.13 < grey < 0.3 and 0.1 < dark < 0.3
