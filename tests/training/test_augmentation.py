"""Distortions of training inputs: what they keep, what they change, what they refuse."""

from math import cos, exp, sin

import numpy as np
import pytest
import torch

from skdeepclust.training import AUGMENTATIONS, augmentation
from skdeepclust.training import _augmentation as module
from skdeepclust.training._augmentation import Augmentation, add_turned_classes, distort_affine


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def unchanged(inputs, generator):
    return inputs


def slow_map(drawn):
    """Scale, rotation and shear from six numbers, multiplied as matrices; (2, 3) float64."""
    angle, log_scale, log_aspect, shear, x, y = drawn
    scale = np.diag([exp(log_scale + log_aspect), exp(log_scale - log_aspect)])
    rotation = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    return np.column_stack([scale @ rotation @ np.array([[1, shear], [0, 1]]), [x, y]])


@pytest.mark.parametrize(("name", "n_turns"), [("affine", 1), ("affine+turns", 4)])
def test_names_stand_for_augmentations(name, n_turns):
    assert augmentation(name) == Augmentation(distort_affine, n_turns)


def test_none_and_functions_pass_through():
    assert augmentation(None) is None
    assert augmentation(unchanged) == Augmentation(unchanged, 1)


@pytest.mark.parametrize("name", ["turns", "", "Affine"])
def test_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=f"augment='{name}' is unknown") as caught:
        augmentation(name)
    assert all(known in str(caught.value) for known in AUGMENTATIONS)


def test_function_gets_the_inputs_and_the_generator():
    seen = []
    x, random = images(3, 5), generator()
    found = augmentation(lambda *a: seen.append(a) or 2 * a[0])(x, torch.zeros(3), 2, random)
    assert seen[0][0] is x
    assert seen[0][1] is random
    assert torch.equal(found, 2 * x)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda x, g: x[:1], r"\(1, 5\)"),
        (lambda x, g: x[:, :, None], r"\(3, 5, 1\)"),
        (lambda x, g: None, "None"),
        (lambda x, g: "x", "'x'"),
        (lambda x, g: x.double(), "torch.float64"),
    ],
)
def test_function_that_returns_something_else_is_refused(function, found):
    with pytest.raises(ValueError, match=rf"augment must return .*\(3, 5\).*, got .*{found}"):
        augmentation(function)(images(3, 5), torch.zeros(3), 2, generator())


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (3, 3, 9, 12), (1, 2, 1, 1), (2, 1, 1, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_affine_keeps_shape_type_and_range(shape, dtype):
    x = images(*shape).to(dtype)
    found = distort_affine(x, generator())
    assert (found.shape, found.dtype) == (x.shape, dtype)
    lowest, highest = x.amin((1, 2, 3)), x.amax((1, 2, 3))
    assert (found.amin((1, 2, 3)) >= lowest - 1e-5).all()
    assert (found.amax((1, 2, 3)) <= highest + 1e-5).all()


def test_affine_follows_from_the_generator_alone():
    x, before = images(4, 2, 8, 8), torch.get_rng_state()
    first, again, other = (distort_affine(x, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_affine_draws_anew_at_each_call():
    x, random = images(4, 2, 8, 8), generator()
    assert not torch.equal(distort_affine(x, random), distort_affine(x, random))


def test_affine_leaves_its_input_as_it_was():
    x = images(4, 2, 8, 8)
    before = x.clone()
    distort_affine(x, generator())
    assert torch.equal(x, before)


def test_even_images_stay_as_they_are():
    x = images(20, 2, 1, 1).expand(20, 2, 9, 12)
    torch.testing.assert_close(distort_affine(x, generator()), x)


def test_each_image_of_a_batch_is_distorted_in_its_own_way():
    found = distort_affine(images(1, 1, 8, 8).expand(6, 1, 8, 8), generator()).flatten(1)
    assert (torch.cdist(found, found) + torch.eye(6) > 0.1).all()


def test_channels_of_an_image_are_distorted_alike():
    found = distort_affine(images(6, 1, 8, 8).expand(6, 3, 8, 8), generator())
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 0], found[:, 2])


def test_a_dot_in_the_middle_moves_by_a_few_pixels():
    x = torch.zeros(500, 1, 29, 29)
    x[:, :, 13:16, 13:16] = 1
    found = distort_affine(x, generator())[:, 0]
    found /= found.sum((1, 2), keepdim=True)
    place = torch.arange(29.0) - 14
    moved = torch.stack([(found * place).sum((1, 2)), (found * place[:, None]).sum((1, 2))])
    assert (moved.mean(1).abs() < 0.2).all()
    assert ((moved.std(1) > 0.7) & (moved.std(1) < 1.4)).all()
    assert moved.abs().max() < 6


def test_maps_are_the_products_of_scale_rotation_and_shear():
    deviations = torch.tensor([0.17, 0.1, 0.08, 0.12, 0.07, 0.07], dtype=torch.float64)
    drawn = torch.randn(50, 6, generator=generator()).double() * deviations
    expected = np.stack([slow_map(row) for row in drawn.tolist()])
    np.testing.assert_allclose(module._affine_maps(50, generator()), expected, atol=1e-6)


def test_maps_scatter_about_the_identity():
    maps = module._affine_maps(20_000, generator()).double().numpy()
    np.testing.assert_allclose(maps.mean(axis=0), np.eye(2, 3), atol=0.02)
    area = np.log(np.linalg.det(maps[:, :, :2]))
    angle = np.arctan2(maps[:, 1, 0], maps[:, 0, 0])
    assert area.std() == pytest.approx(2 * 0.1, rel=0.05)
    assert angle.std() == pytest.approx(0.17, rel=0.05)
    np.testing.assert_allclose(maps[:, :, 2].std(axis=0), 0.07, rtol=0.05)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_maps_are_applied_about_the_middle(monkeypatch, turn):
    x = images(3, 2, 8, 8)
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    linear = torch.linalg.matrix_power(quarter[:, :2], turn)
    fixed = torch.cat([linear, quarter[:, 2:] * 0], dim=1).expand(3, 2, 3)
    monkeypatch.setattr(module, "_affine_maps", lambda n, generator: fixed)
    expected = torch.rot90(x, turn, (2, 3))
    torch.testing.assert_close(distort_affine(x, generator()), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 6), (4, 1, 1, 6, 6)])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_inputs_that_are_no_images_are_refused(name, shape):
    with pytest.raises(ValueError, match="augment.*images") as caught:
        augmentation(name)(images(*shape), torch.zeros(4, dtype=torch.long), 2, generator())
    assert str(tuple(shape)) in str(caught.value)


def test_one_turn_adds_no_classes():
    targets, indices = np.array([0, 2, 1]), np.array([5, 3, 8])
    assert add_turned_classes(targets, indices, 1) == (targets, indices)
    matrix = np.eye(3)
    assert add_turned_classes(matrix, indices, 1)[0] is matrix


def test_four_turns_show_each_row_in_four_classes():
    targets, indices = np.array([0, 2, 1, 2]), np.array([5, 3, 8, 1])
    codes, rows = add_turned_classes(targets, indices, 4)
    np.testing.assert_array_equal(codes, [0, 2, 1, 2, 3, 5, 4, 5, 6, 8, 7, 8, 9, 11, 10, 11])
    np.testing.assert_array_equal(rows, [5, 3, 8, 1] * 4)


def test_assignments_cannot_be_turned():
    with pytest.raises(ValueError, match=r'augment="affine\+turns" .* class label'):
        add_turned_classes(np.eye(3), np.arange(3), 4)


@pytest.mark.parametrize("size", [1, 5, 6])
def test_codes_say_how_often_an_image_is_turned(size):
    x, before = images(24, 2, size, size), images(24, 2, size, size)
    codes = torch.as_tensor(np.random.RandomState(0).permutation(24) % 12)
    found = Augmentation(unchanged, 4)(x, codes, 3, generator())
    for image, code, result in zip(x, codes.tolist(), found, strict=True):
        assert torch.equal(result, torch.rot90(image, code // 3, (1, 2)))
    assert torch.equal(x, before)


def test_codes_do_not_turn_where_there_are_no_turned_classes():
    x = images(4, 1, 5, 6)
    assert Augmentation(unchanged)(x, torch.arange(4), 1, generator()) is x


def test_images_are_turned_before_they_are_distorted():
    x, codes = images(8, 1, 6, 6), torch.arange(8)
    expected = distort_affine(Augmentation(unchanged, 4)(x, codes, 2, generator()), generator())
    assert torch.equal(augmentation("affine+turns")(x, codes, 2, generator()), expected)


def test_only_square_images_can_be_turned():
    x, codes = images(4, 1, 5, 6), torch.zeros(4, dtype=torch.long)
    with pytest.raises(ValueError, match=r"needs square images .*\(4, 1, 5, 6\)"):
        augmentation("affine+turns")(x, codes, 2, generator())
    assert augmentation("affine")(x, codes, 2, generator()).shape == x.shape


def test_a_quarter_turn_is_counter_clockwise():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    found = Augmentation(unchanged, 4)(x, torch.tensor([1]), 1, generator())
    assert found.flatten().tolist() == [2.0, 4.0, 1.0, 3.0]
