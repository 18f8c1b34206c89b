"""Formulas of the book, tied to the functions that compute them.

`notation` reads a formula as it is written, `evaluation` computes it on arrays, `formula` takes it
out of a page and holds it against its function, `directive` shows it.
"""
