"""The documentation site: pages of `docs/`, and pages generated from the code, as one static site.

    python -m docs_site [OUT]

stages all pages in `build/site`, has Zensical build them into OUT (`site`), and checks the result.
"""
