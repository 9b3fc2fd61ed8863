"""MobileNetV4-Conv-Small: a light convolutional student."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="mobilenet-small",
    title="MobileNetV4-Conv-Small (convolutional, 1.3 M weights)",
    origin=drawn("mobilenetv4_conv_small"),
)
