"""The link check finds what leads nowhere, and nothing else."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "check_links.py"
if not SCRIPT.exists():
    pytest.skip("the documentation is not part of an installed package", allow_module_level=True)

find_faults = runpy.run_path(str(SCRIPT))["find_faults"]


@pytest.fixture
def site(tmp_path):
    """A function that adds links to a small site without faults, and its folder."""
    (tmp_path / "guide").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "part.html").write_text('<a href="{{ nowhere }}">')
    (tmp_path / "a picture.png").write_bytes(b"")
    (tmp_path / "index.html").write_text('<h1 id="title">Title</h1><a name="old"></a>')
    (tmp_path / "guide" / "index.html").write_text('<p id="ÄΩ">&amp;</p><img src="../index.html">')

    def add(*elements):
        page = tmp_path / "guide" / "page.html"
        page.write_text("\n".join(elements), encoding="utf-8")
        return find_faults(tmp_path)

    return add


@pytest.mark.parametrize(
    "link",
    [
        "../index.html",
        "../index.html#title",
        "../index.html#old",
        "../index.html?highlight=x#title",
        "..",
        "../guide/#%C3%84%CE%A9",
        "#",
        "#top",
        "",
        "page.html",
        "../a%20picture.png",
        "../a%20picture.png#any",
        "https://scikit-learn.org/stable/",
        "http://localhost:8000",
        "//cdn.example.org/a.js",
        "mailto:somebody@example.org",
        "data:image/png;base64,AAAA",
    ],
)
def test_good_links_are_no_faults(site, link):
    assert site(f'<a href="{link}">text</a>') == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("missing.html", "is not there"),
        ("../guide/missing.png", "is not there"),
        ("../_static", "is not there"),
        ("../index.html#untitled", "has no such anchor"),
        ("#nowhere", "has no such anchor"),
        ("../../index.html", "leads out of the documentation"),
        ("/index.html", "begins at the root of the server"),
        ("https://", "is no address"),
        ("https:///path", "is no address"),
        ("https://two words.org", "is no address"),
        ("http://[::1", "is no address"),
        ("htps://scikit-learn.org", "is no address"),
        ("javascript:void(0)", "is no address"),
    ],
)
def test_bad_links_are_named_with_their_page(site, link, fault):
    (found,) = site(f'<a href="{link}">text</a>', f'<a href="{link}">the same again</a>')
    assert found.startswith(f"guide/page.html: {link!r} {fault}")


@pytest.mark.parametrize(
    ("element", "link"),
    [
        ('<img src="missing.png">', "missing.png"),
        ('<script src="missing.js"></script>', "missing.js"),
        ('<link href="missing.css"/>', "missing.css"),
        ('<img src="" srcset="page.html, missing_2x.png 2.00x">', "missing_2x.png"),
        ('<a href="missing.html?a=1&amp;b=2">text</a>', "missing.html?a=1&b=2"),
    ],
)
def test_every_kind_of_link_is_looked_at(site, element, link):
    (found,) = site(element)
    assert repr(link) in found


def test_scripts_and_comments_have_no_links(site):
    assert site("<script>'<a href=\"missing.html\">'</script>", '<!-- <a href="x.html"> -->') == []


def test_exit_status_says_whether_all_is_well(site, tmp_path):
    def check(*arguments):
        command = [sys.executable, str(SCRIPT), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    site('<a href="page.html">text</a>')
    good = check(tmp_path)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    site('<a href="missing.html">text</a>', '<a href="#nowhere">text</a>')
    bad = check(tmp_path)
    assert bad.returncode == 1
    assert "guide/page.html: 'missing.html' is not there" in bad.stderr
    assert bad.stderr.strip().endswith("Links that lead nowhere: 2.")
    for arguments in [(), (tmp_path, tmp_path), (tmp_path / "guide" / "page.html",)]:
        assert "Give one folder" in check(*arguments).stderr
