"""Bodies and heads of requests, whatever bytes they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.core.preprocess import Preprocess
from personvit.deploy_jetson.serve_body import crops_of, images_in
from personvit.deploy_jetson.serve_http import Refusal, Request


def request(body: bytes, kind: str = "") -> Request:
    return Request("POST", "/embed", {"content-type": kind}, body)


@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=6))
def test_parts_come_out_as_they_went_in(images: list[bytes]) -> None:
    mark = "x" * 40  # longer than what hypothesis would put into an image by chance
    head = b'Content-Disposition: form-data; name="a"\r\nContent-Type: image/png\r\n\r\n'
    body = b"".join(b"--%b\r\n%b%b\r\n" % (mark.encode(), head, image) for image in images)
    body += b"--%b--\r\n" % mark.encode()
    for kind in (f"multipart/form-data; boundary={mark}", f'Multipart/mixed; Boundary="{mark}"'):
        assert images_in(request(body, kind), 6) == images


@given(st.binary(max_size=200), st.sampled_from(["multipart/form-data; boundary=b", "image/png"]))
def test_any_body_is_images_or_a_refusal(body: bytes, kind: str) -> None:
    try:
        assert all(images_in(request(body, kind), 3))
    except Refusal as refusal:
        assert refusal.answer.status in (400, 413)


def test_more_parts_than_the_queue_holds_are_refused_before_they_are_cut(make_multipart) -> None:
    body, headers = make_multipart([b"image"] * 9)
    with pytest.raises(Refusal, match="more than 8 images") as caught:
        images_in(request(body, headers["Content-Type"]), 8)
    assert caught.value.answer.status == 413


def test_decoding_ends_with_the_request_that_asked_for_it(make_picture) -> None:
    """A request may hold hundreds of large images, and others wait for its thread."""
    ended = iter([False, False, True])
    with pytest.raises(Refusal, match="after 2 of 9 images") as caught:
        crops_of([make_picture(0)] * 9, Preprocess(height=64, width=32), lambda: next(ended))
    assert caught.value.answer.status == 504
