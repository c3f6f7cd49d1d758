"""Boxes on a page, and the affine maps that PDF applies to them."""

from math import inf
from typing import Final, NamedTuple

Bounds = tuple[float, float, float, float]
"""A box as its left, bottom, right and top in points."""

EVERYWHERE: Final[Bounds] = (-inf, -inf, inf, inf)


class Matrix(NamedTuple):
    """An affine map as the six numbers of a PDF matrix (ISO 32000-1, 8.3.4)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def apply(self, x: float, y: float) -> tuple[float, float]:
        """Return the image of a point."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def bounds(self, box: Bounds) -> Bounds:
        """Return the box around the image of a box."""
        if self is IDENTITY:  # true for nearly everything on a page
            return box
        left, bottom, right, top = box
        near, far = sorted((self.a * left, self.a * right))
        low, high = sorted((self.c * bottom, self.c * top))
        across = near + low + self.e, far + high + self.e
        near, far = sorted((self.b * left, self.b * right))
        low, high = sorted((self.d * bottom, self.d * top))
        return across[0], near + low + self.f, across[1], far + high + self.f

    def after(self, inner: "Matrix") -> "Matrix":
        """Return the map that applies `inner` first and then this map."""
        return Matrix(
            self.a * inner.a + self.c * inner.b,
            self.b * inner.a + self.d * inner.b,
            self.a * inner.c + self.c * inner.d,
            self.b * inner.c + self.d * inner.d,
            *self.apply(inner.e, inner.f),
        )


IDENTITY: Final = Matrix(1, 0, 0, 1, 0, 0)


def meet(one: Bounds, other: Bounds) -> Bounds:
    """Return the box that two boxes share; if they share none, its width or its height is negative."""
    if other == EVERYWHERE:
        return one
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
