"""A report as an export would fill it: numbers of a plausible size, pictures drawn here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from personvit.benchmark.comparison import (
    Flips,
    RetrievalLabels,
    Split,
    cosine_summary,
    cross_precision,
    flips,
)
from personvit.benchmark.comparison import cosines as cosines_of
from personvit.benchmark.gate import Gate, decide
from personvit.benchmark.latency import Latency, Speedup, Timing
from personvit.benchmark.pairs import pair_scores
from personvit.benchmark.report import Setting
from personvit.benchmark.report_data import (
    Answer,
    CandidateRow,
    ChangedQuery,
    FusionProof,
    Histogram,
    ReportData,
    ScoreShares,
    Sensitivity,
    Variant,
)
from personvit.benchmark.thresholds import thresholds
from personvit.benchmark.verdict import Verdict
from personvit.core.machine import Machine

PEOPLE, WIDTH = 120, 48


def picture(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    coat, legs, ground = (tuple(int(c) for c in random.integers(40, 220, 3)) for _ in range(3))
    image = Image.new("RGB", (64, 128), ground)
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 66, 44, 122), fill=legs)
    pen.rectangle((16, 28, 48, 72), fill=coat)
    pen.ellipse((24, 6, 40, 26), fill=(220, 180, 150))
    return np.asarray(image)


def embeddings() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(1, PEOPLE + 1), 8)
    centres = random.normal(size=(PEOPLE, WIDTH)) * np.linspace(2, 0.4, WIDTH)
    before = centres[people - 1] + 1.15 * random.normal(size=(len(people), WIDTH))
    after = before + 0.08 * random.normal(size=before.shape)
    return before, after, people, np.tile([1, 2, 3, 4], 2 * PEOPLE)


def histogram(shares: np.ndarray, low: float = -1.0) -> Histogram:
    return Histogram(low, 1.0, tuple(shares.tolist()))


def latency(setting: Setting) -> Latency:
    medians = {("openvino FP32", 1): 15.1, ("openvino INT8", 1): 5.2, ("onnxruntime FP32", 1): 17.6}
    medians |= {("onnxruntime INT8", 1): 9.8, ("openvino FP32", 8): 118.0}
    medians |= {("openvino INT8", 8): 37.1}
    timings = [
        Timing(name, batch, ms, 1.1 * ms, 1.35 * ms, 1.9 * ms, 120)
        for (name, batch), ms in medians.items()
    ]
    speedups = [
        Speedup(
            name,
            "onnxruntime FP32",
            batch,
            17.6 * batch / ms,
            16.9 * batch / ms,
            18.3 * batch / ms,
            40,
        )
        for (name, batch), ms in medians.items()
        if name != "onnxruntime FP32"
    ]
    return Latency(tuple(timings), tuple(speedups), "onnxruntime FP32", setting, 1.1)


def candidate(
    name: str, place: str, verdict: Verdict, alike: np.ndarray, share: float
) -> CandidateRow:
    return CandidateRow(
        name=name,
        what="a way to quantise",
        place=place,
        decision=verdict.decision,
        change=verdict.checks[0],
        cosines=cosine_summary(alike),
        int8_share=share,
        size=23_100_000,
        judged="the CPU graph",
    )


def worst(name: str, seed: int) -> ChangedQuery:
    def answers(*right: bool) -> tuple[Answer, ...]:
        return tuple(
            Answer(picture(seed if good else seed + 50 + nth), good)
            for nth, good in enumerate(right)
        )

    return ChangedQuery(
        name=name,
        picture=picture(seed),
        before_ap=0.83,
        after_ap=0.41,
        before=answers(True, True, False, True, False),
        after=answers(False, True, False, False, True),
    )


@pytest.fixture(scope="session")
def full_report() -> ReportData:
    before, after, people, cameras = embeddings()
    query = np.arange(len(people)) % 8 < 2
    labels = RetrievalLabels(people[query], people[~query], cameras[query], cameras[~query])
    runs = cross_precision(
        Split(before[query], before[~query]), Split(after[query], after[~query]), labels
    )
    verdict = decide(
        runs.reference, runs.candidate, people[query], Gate(margin=0.02), resamples=500
    )
    pairs = pair_scores(before, people, cameras), pair_scores(after, people, cameras)
    genuine, impostor = zip(*(each.shares(100) for each in pairs), strict=True)
    alike = cosines_of(before, after)
    drift, edges = np.histogram(alike, bins=50, range=(float(alike.min()), 1.0))
    machine = Machine(
        cpu="AMD EPYC 9B45",
        cores=2,
        flags=("avx2", "avx512f", "avx512_vnni"),
        memory_bytes=23 * 2**30,
        system="Linux 6.1 x86_64",
        python="3.11.9",
        packages={"numpy": "2.3.4", "onnx": "1.23.0", "openvino": "2026.4.0"},
    )
    setting = Setting(machine, 0.4, "2026-11-20T10:51:00+00:00")
    layers = [
        Sensitivity(f"blocks.{block}.{name}", 0.03 / (1 + block + 3 * nth), block == 0 and nth < 2)
        for block in range(6)
        for nth, name in enumerate(("mlp.fc2", "attn.proj", "attn.qkv", "mlp.fc1"))
    ]
    layers.sort(key=lambda each: -each.error)
    return ReportData(
        title="vit_small_16 for Market-1501, INT8",
        subject="ViT-S/16 at 256x128, fine-tuned weights market-vits.safetensors, 512 crops "
        "for calibration from the training split",
        verdict=verdict,
        variants=(
            Variant("cpu", "OpenVINO, ONNX Runtime", "INT8 + FP32", 23_400_000, "default"),
            Variant("trt-attention", "TensorRT >= 10.14, RTX", "INT8 + FP16", 23_100_000),
            Variant("trt-decomposed", "TensorRT 10.3", "INT8 + FP16", 23_200_000, "Jetson"),
        ),
        candidates=(
            candidate("int8", "default", verdict, alike, share=0.935),
            candidate("fp16", "yes", verdict, alike, share=0.0),
            CandidateRow(
                "int8-attention",
                "attention in INT8 too",
                "left out",
                None,
                None,
                None,
                0.99,
                None,
                "not judged",
                "blocks.3.attn.query reaches 7e+04",
            ),
        ),
        size_before=87_300_000,
        scores=runs,
        flips=flips(runs.reference, runs.candidate),
        latency=latency(setting),
        thresholds=thresholds(*pairs, resamples=200),
        score_shares=ScoreShares(*map(histogram, (*genuine, *impostor))),
        cosines=cosine_summary(alike),
        cosine_shares=histogram(drift / drift.sum(), float(edges[0])),
        sensitivity=tuple(layers),
        fusion=(
            FusionProof("SM 8.6 (Ampere)", "trt-attention", True, True, 12, 12, 0, True),
            FusionProof("SM 8.9 (Ada)", "trt-attention", True, True, 12, 12, 0, True),
            FusionProof(
                "SM 12.0 (Blackwell)",
                "trt-attention",
                False,
                True,
                11,
                12,
                1,
                True,
                "block 7 may be decomposed",
            ),
            FusionProof("SM 8.7 (Orin)", "trt-decomposed", None),
        ),
        changed=tuple(worst(f"0{seed:03d}_c2s1_{seed}.jpg", seed) for seed in (412, 37, 255, 8)),
        stages=(("calibrate", 71.2), ("quantise", 18.0), ("score", 143.6), ("time", 60.2)),
        setting=setting,
        command="personvit-export market-vits.safetensors --data /data/Market-1501 --int8 "
        "--target cpu,rtx --gate 'mAP>=-0.2' -o market.pvb",
        facts={"seed": 0, "data set": "Market-1501, 3,368 queries", "weights": "sha256 5f3c..."},
        notes=("Synthetic numbers for a test.",),
    )


@pytest.fixture(scope="session")
def small_report(full_report: ReportData) -> ReportData:
    """Only what is needed."""
    return ReportData(title="nothing but a verdict", verdict=full_report.verdict)


@pytest.fixture(scope="session")
def hostile_report(full_report: ReportData) -> ReportData:
    """Names that would break out of a careless page."""
    evil = "</title><script>alert(1)</script>\"'&<img src=https://example.invalid/x>"
    variants = (Variant(evil, evil, evil, 1, evil),)
    row = CandidateRow(evil, evil, evil, None, None, None, 0.5, 1, evil, evil)
    layers = (Sensitivity(evil, 0.1),)
    return replace(
        full_report,
        title=evil,
        subject=evil,
        before=evil,
        command=evil,
        notes=(evil,),
        facts={evil: evil},
        variants=variants,
        candidates=(row, row),
        sensitivity=layers,
        flips=Flips((1,), ()),
    )
