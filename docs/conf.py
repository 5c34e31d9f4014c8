"""Sphinx: ``sphinx-build -W docs docs/_build/html``. Nothing here needs a network."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from pydoc import locate
from typing import Any

import torch
from docutils import nodes

import skdeepclust

# The networks of examples and figures are small: more threads would wait for each other.
torch.set_num_threads(1)
_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE))  # for gallery_options
# Examples write to the folder that they run in: here that of a copy.
_EXAMPLES = _HERE / "_build" / "examples"
shutil.rmtree(_EXAMPLES, ignore_errors=True)
shutil.copytree(_HERE.parent / "examples", _EXAMPLES)
# Their tables are wide: these pages have nothing at their side.
_TABLES = [f"benchmarks/{path.stem}" for path in _HERE.glob("benchmarks/*.md")]

project = "skdeepclust"
project_copyright = "the skdeepclust developers"
version = release = skdeepclust.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "figures"]
smartquotes = False
# Names of the package in single backticks are links, all else there is code.
default_role = "py:obj"

autodoc_typehints = "none"  # the docstrings say it in words
numpydoc_show_class_members = False  # the template lists them

plot_formats = [("png", 120)]
plot_html_show_formats = False
plot_html_show_source_link = False

sphinx_gallery_conf = {
    "examples_dirs": str(_EXAMPLES),
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skdeepclust",),
    "log_level": {"backreference_missing": "info"},
    "filename_pattern": "/plot_",
    "within_subsection_order": "gallery_options.ReadingOrder",
    "reset_argv": "gallery_options.written_files",
    "image_scrapers": ("gallery_options.figures_and_animation",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skdeepclust"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {name: [] for name in ("index", "api", "whats_new")}
html_theme_options = {
    "logo": {"text": "skdeepclust"},
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"]} | dict.fromkeys(_TABLES, []),
}

_SKLEARN = "https://scikit-learn.org/stable/modules/generated/{}.html"
_LINK_OUTSIDE = re.compile(r"\[([^]]+)\]\(\.\./\.\./([^)]+)\)")


def hide_foreign_methods(
    app: Any, what: str, name: str, method: Any, skip: bool, options: Any
) -> bool | None:
    """Of what is inherited, only methods that this package defines are listed."""
    home = getattr(method, "__module__", None) or ""
    is_foreign = what == "method" and not home.startswith("skdeepclust")
    return True if is_foreign else None


def link_to_sklearn(app: Any, env: Any, node: nodes.Element, content: nodes.Node) -> Any:
    """Pages of scikit-learn have the names of what they describe: no inventory is needed."""
    name = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not name.startswith("sklearn.") or locate(name) is None:
        return None
    return nodes.reference("", "", content, internal=False, refuri=_SKLEARN.format(name))


def adapt_benchmark(app: Any, docname: str, source: list[str]) -> None:
    """Mend a table: no title, lines that break at ±, and links that lead out of ``docs``.

    Of the latter those to the cards of the critics are kept.
    """
    folder, _, name = docname.rpartition("/")
    if folder != "benchmarks":
        return
    if not source[0].startswith("# "):
        source[0] = f"# {name.replace('_', ' ').capitalize()}\n\n{source[0]}"
    source[0] = _LINK_OUTSIDE.sub(
        lambda link: f"[{link[1]}](#model-cards)" if "/weights/" in link[2] else link[1],
        source[0].replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"),
    )


def setup(app: Any) -> None:
    """Sphinx calls it."""
    app.connect("autodoc-skip-member", hide_foreign_methods)
    app.connect("missing-reference", link_to_sklearn)
    app.connect("source-read", adapt_benchmark)
