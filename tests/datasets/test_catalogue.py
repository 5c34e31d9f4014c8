"""Tests of the catalogue: complete entries, whose sums are sums."""

import re

import pytest

from skdeepclust.datasets._catalogue import CATALOGUE


@pytest.fixture(params=list(CATALOGUE))
def source(request):
    return CATALOGUE[request.param]


def test_files(source):
    assert len({file.name for file in source.files}) == len(source.files)
    for file in source.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 1000
        assert all(re.fullmatch(rf"https?://.*/{file.name}", url) for url in file.urls)


def test_sums_are_not_repeated():
    sums = [file.sha256 for source in CATALOGUE.values() for file in source.files]
    sums += [
        total for source in CATALOGUE.values() if source.openml for total in source.openml.sha256
    ]
    assert len(set(sums)) == len(sums)
    assert all(re.fullmatch("[0-9a-f]{64}", total) for total in sums)


def test_description(source):
    title, line, *_ = source.description.splitlines()
    assert line == "-" * len(title)
    assert "Licence: " in source.description
    assert max(map(len, source.description.splitlines())) <= 100


def test_openml_has_the_digits_and_the_clothes():
    copies = {name: source.openml.data_id for name, source in CATALOGUE.items() if source.openml}
    assert copies == {"mnist": 554, "fashion_mnist": 40996}


def test_class_names():
    numbers = {name: len(source.class_names) for name, source in CATALOGUE.items()}
    assert numbers == {
        "mnist": 10,
        "fashion_mnist": 10,
        "emnist_letters": 26,
        "svhn": 10,
        "omniglot": 0,  # in its file
    }
