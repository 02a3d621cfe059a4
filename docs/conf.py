"""The documentation site: `make docs` builds it into build/site, with warnings as errors and without the network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from lastlayer.version import __version__  # noqa: E402
from site_extensions.mapping_pages import hue_variables  # noqa: E402

project = "lastlayer"
author = "The lastlayer authors"
copyright = author
version = release = __version__
root_doc = "index"
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_click",
    "sphinx_gallery.gen_gallery",
    "site_extensions.commands",
    "site_extensions.docstrings",
    "site_extensions.example_ends",
    "site_extensions.explore_page",
    "site_extensions.folded_records",
    "site_extensions.gallery",
    "site_extensions.mapping_pages",
    "site_extensions.mathml",
    "site_extensions.narrow_figures",
    "site_extensions.repository_links",
    "site_extensions.sample_reports",
    "site_extensions.schema_pages",
]
exclude_patterns = [
    # On GitHub one page; here one page per mapping, from the same records.
    "mappings.md",
    "gallery/**/*.ipynb",
    "gallery/**/*.py",
]
suppress_warnings = [
    # The environment is not kept between builds.
    "config.cache",
]

myst_enable_extensions = [
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "substitution",
]
# Every heading has an anchor with the name that GitHub gives it.
myst_heading_anchors = 4
myst_links_external_new_tab = False

# A name between backticks in a docstring is linked, if the reference has it.
default_role = "py:obj"
# Quotes and dashes in help and docstrings are to be typed.
smartquotes = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
autodoc_type_aliases = {"Array": "Array"}
maximum_signature_line_length = 100

html_theme = "furo"
html_title = "lastlayer"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
html_math_renderer = "mathml"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2d45df", "color-brand-content": "#2d45df", **hue_variables(0)},
    "dark_css_variables": {"color-brand-primary": "#92afff", "color-brand-content": "#92afff", **hue_variables(1)},
    "footer_icons": [],
}
# Prompts and output are not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/\w+\.py$",
    "within_subsection_order": "site_extensions.gallery.ExampleOrder",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1_000_000,
    "write_computation_times": False,
    "remove_config_comments": True,
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("site_extensions.gallery.plain_figures",),
    "download_all_examples": True,
    "capture_repr": (),
    "backreferences_dir": None,
    "nested_sections": False,
}
