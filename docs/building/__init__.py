"""How the pages of `docs/` are made of the package, its tests and the chapters of the book.

`python -m docs.building` builds them; `docs/conf.py` names the extensions that live here.
"""
