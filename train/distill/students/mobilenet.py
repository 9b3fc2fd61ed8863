"""MobileNetV4-Conv-Medium: a light convolutional student."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="mobilenet",
    title="MobileNetV4-Conv-Medium (convolutional, 7.2 M weights)",
    origin=drawn("mobilenetv4_conv_medium"),
)
