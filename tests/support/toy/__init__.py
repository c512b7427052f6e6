"""A kind that only tests know: a kite that somebody lost. It has no versions and belongs to no event.

It is made as a real kind is: this package, a line in a registry, a template. The lines are those of
plugged/sitecustomize.py, which the interpreter runs where that folder is on its path; so real processes know the kind,
and the product has no door for it."""
