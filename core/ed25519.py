"""Ed25519 verification (RFC 8032, section 5.1.7) in plain integers; it never sees a secret.

Stricter than the text asks, so that a signature has one spelling and a key one meaning:
s must lie below the group order; a key must be the one spelling of a point, and no point of small
order (anybody could sign for such a key); R is compared as bytes with the one spelling of the
point that the equation gives. The equation is the one without the cofactor, as in OpenSSL.
"""

from __future__ import annotations

import hashlib

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""X, Y, Z, T of section 5.1.4: x = X/Z, y = Y/Z, x*y = T/Z."""

_NEUTRAL: _Point = (0, 1, 1, 0)

_BASE_X = 0x216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A
_BASE_Y = 0x6666666666666666666666666666666666666666666666666666666666666658
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the owner of `public`'s, over exactly this message."""
    point = _decode(public)
    if point is None or _is_of_small_order(point) or len(signature) != SIGNATURE_BYTES:
        return False
    response = int.from_bytes(signature[32:], "little")
    if response >= _ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(hashed, "little") % _ORDER
    return _encode(_sum_of_products(response, _BASE, challenge, _negated(point))) == signature[:32]


def is_public_key(public: bytes) -> bool:
    """Whether these bytes are the one spelling of a point that only one owner can sign for."""
    point = _decode(public)
    return point is not None and not _is_of_small_order(point)


def _decode(text: bytes) -> _Point | None:
    """Section 5.1.3, with every second spelling refused."""
    if len(text) != PUBLIC_BYTES:
        return None
    number = int.from_bytes(text, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    x = _x_of(y)
    if x is None or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


def _x_of(y: int) -> int | None:
    """A root of (y^2 - 1) / (d y^2 + 1), where there is one."""
    over, under = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = over * pow(under, 3, _P) * pow(over * pow(under, 7, _P), (_P - 5) // 8, _P) % _P
    if under * x * x % _P == over:
        return x
    x = x * _ROOT_OF_MINUS_ONE % _P
    return x if under * x * x % _P == over else None


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(PUBLIC_BYTES, "little")


def _add(a: _Point, b: _Point) -> _Point:
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    twisted, scaled = 2 * _D * a[3] * b[3] % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = right - left, scaled - twisted, scaled + twisted, right + left
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(a: _Point) -> _Point:
    squares = a[0] * a[0] % _P, a[1] * a[1] % _P
    h = squares[0] + squares[1]
    e, g = h - (a[0] + a[1]) ** 2 % _P, squares[0] - squares[1]
    f = 2 * a[2] * a[2] % _P + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _negated(a: _Point) -> _Point:
    return -a[0] % _P, a[1], a[2], -a[3] % _P


def _sum_of_products(m: int, a: _Point, n: int, b: _Point) -> _Point:
    """m*a + n*b with one chain of doublings for both."""
    choices = (_NEUTRAL, a, b, _add(a, b))
    total = _NEUTRAL
    for bit in range(max(m.bit_length(), n.bit_length()) - 1, -1, -1):
        total = _double(total)
        if picked := (m >> bit & 1) | (n >> bit & 1) << 1:
            total = _add(total, choices[picked])
    return total


def _is_of_small_order(point: _Point) -> bool:
    x, y, z, _ = _double(_double(_double(point)))
    return x == 0 and y == z
