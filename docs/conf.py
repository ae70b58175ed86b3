# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the site: `make docs`, without a network."""

import pathlib
import re
import shutil
import sys

from docutils import nodes

import qestim

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import _messages  # noqa: E402

project = "qestim"
author = "the qestim developers"
copyright = author
version = release = qestim.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/sg_execution_times.rst", "sg_execution_times.rst"]
toc_object_entries_show_parents = "hide"
nitpicky = False
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
# What a class inherits from these is theirs to document.
autodoc_default_options = {
    "members": True,
    "inherited-members": "BaseEstimator,TransformerMixin,ClassifierMixin,Module,"
    "MultiheadAttention,Sampler,Structured,ClassNamePrefixFeaturesOutMixin,"
    "SelectorMixin,tuple,Exception,_MetadataRequester,Client,SyncMethodMixin",
    "exclude-members": "extra_repr,get_metadata_routing,set_output",
}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# A public docstring without its sections fails the build, as warnings are errors.
# RT02 and SA01, ES01 are matters of taste here; tests/test_docs.py asks for examples.
numpydoc_validation_checks = {
    *("GL02", "GL08", "SS01"),
    *("PR01", "PR02", "PR03", "PR04", "PR07", "PR08"),
    *("RT01", "RT03", "YD01"),
}
# Dictionaries have the docstring of dict; numpydoc finds no "def" of the properties
# that FaultyBackend passes on; what Python and Dask document is theirs.
numpydoc_validation_exclude = {
    r"\.(ACTIVATIONS|LIKELIHOODS)$",
    r"\.FaultyBackend\.(max_spins|bits|min_reads|max_reads|idempotent|identity)$",
    r"\.(add_note|with_traceback)$",
    r"^qestim\.dask\.Client",
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(quickstart|distributed_vae)\.py",
    "plot_gallery": "True",
    "abort_on_example_error": True,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = "qestim"
html_show_sourcelink = False
html_context = {"default_mode": "light"}
html_favicon = "_static/spins.svg"
html_logo = "_static/spins.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "logo": {"text": "qestim"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
ALONE = "start", "choosing", "migrating", "equations", "errors", "developing"
html_sidebars = {page: [] for page in ALONE}

RESULTS = ROOT / "benchmarks" / "results"


def copy_results(app):
    """Bring the tables of benchmarks/results/ into the site."""
    target = HERE / "results"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for page in sorted(RESULTS.glob("*.md")):
        if not page.stem.endswith("_quick"):
            shutil.copy(page, target)


def list_messages(app):
    """Write the page of error messages."""
    (HERE / "errors.md").write_text(_messages.page(ROOT / "qestim"))


# In the repository a picture is a link to the script that draws it.
PICTURE = re.compile(r"^\[Picture: (.+)\]\(\.\./\.\./examples/(plot_\w+)\.py\)$", re.M)
FIGURE = """```{figure} ../auto_examples/images/sphx_glr_\\2_001.png
:alt: \\1

\\1 ([how it is drawn](../auto_examples/\\2))
```"""


def relink(app, docname, source):
    """Point links that hold in the repository to where the site has their pages."""
    text = source[0].replace("](../../benchmarks/results/", "](../results/")
    source[0] = PICTURE.sub(FIGURE, text)


def join_continued(app, what, name, obj, options, lines):
    """Join lines that end in a backslash, as Python does outside of raw strings."""
    for i in reversed(range(len(lines) - 1)):
        if lines[i].endswith("\\"):
            lines[i] = lines[i].removesuffix("\\") + lines.pop(i + 1).lstrip()


def skip_requests(app, what, name, obj, skip, options):
    """Leave scikit-learn's methods of metadata routing to its own reference."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def link_names(app, doctree, docname):
    """Lead from a public name in code type to its page of the reference."""
    objects = app.env.domains["py"].objects
    kinds = ("class", "exception", "function", "data")
    pages = {name: entry for name, entry in objects.items() if entry.objtype in kinds}
    # A plain word, as the function "divergence", may mean something else.
    short = {
        name.rpartition(".")[2]: name
        for name in pages
        if re.search(r"[A-Z_]|^qestim\.\w+$", name)
    }
    for literal in list(doctree.findall(nodes.literal)):
        text = literal.astext().removesuffix("()")
        name = text if text in pages else short.get(text)
        inside = isinstance(literal.parent, (nodes.reference, nodes.title))
        if name is None or inside or pages[name].docname == docname:
            continue
        uri = app.builder.get_relative_uri(docname, pages[name].docname)
        link = nodes.reference("", "", refuri=f"{uri}#{pages[name].node_id}")
        literal.replace_self(link)
        link += literal


def setup(app):
    """Register the steps."""
    app.connect("builder-inited", copy_results)
    app.connect("builder-inited", list_messages)
    app.connect("source-read", relink)
    app.connect("autodoc-process-docstring", join_continued, priority=100)
    app.connect("autodoc-skip-member", skip_requests)
    app.connect("doctree-resolved", link_names)
