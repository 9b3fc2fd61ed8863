"""The page beside the DeepStream files: what to do on the device, and what to know before."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.bundle import Bundle
from .deepstream_cost import PathCost, ResizeCost
from .deepstream_golden import PROGRAM, golden_batches
from .deepstream_settings import ONNX, Choices, Facts, engine_name, nvinfer_mode
from .deepstream_versions import SOURCES, VERSIONS

NVINFER, TRACKER, BLOCK = (
    "config_infer_secondary_reid.txt",
    "config_tracker_NvDCF_reid.yml",
    "reid_block.yml",
)
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
TRACKER_LIBRARY = "/opt/nvidia/deepstream/deepstream/lib/libnvds_nvmultiobjecttracker.so"


def readme(
    bundle: Bundle, facts: Facts, choices: Choices, cost: ResizeCost | None, replayed: str
) -> str:
    parts = (_head(bundle, facts, choices, replayed), _engine(facts, choices), _app(choices))
    return "\n".join([*parts, _thresholds(cost), _reading(facts), ""])


def _head(bundle: Bundle, facts: Facts, choices: Choices, replayed: str) -> str:
    version = choices.version
    proof = (
        f"The golden crops were replayed through the graph here ({replayed}) with the scale, "
        "offsets and colour order written below."
        if replayed
        else "The golden crops were not replayed here: neither OpenVINO nor ONNX Runtime is "
        "installed."
    )
    return f"""# {bundle.manifest.name} for DeepStream {version.name}

Written from a bundle (sha256 {bundle.digest}), variant `{facts.variant.name}`
({facts.precision}): {facts.height}x{facts.width} RGB planes of 0..255 in, {facts.dimension} values
out. DeepStream {version.name} runs on {version.platforms}, with TensorRT {version.tensorrt}.
**These files have not been run in DeepStream.** {proof}
`settings.json` says of every value what decided it and where its meaning was read.

| file | for |
|---|---|
| `{ONNX}` | the graph: mean and deviation inside, embeddings of length 1 out |
| `{NVINFER}` | a secondary nvinfer element: one embedding per person and frame |
| `{TRACKER}` | an NvDCF tracker that re-associates lost tracks by embedding |
| `{BLOCK}` | its ReID block alone, to paste into your own tracker file |
| `{PROGRAM}`, `golden*` | proof that an engine built on the device answers as the bundle says |
"""


def _engine(facts: Facts, choices: Choices) -> str:
    place, batch = choices.place, choices.batch
    size = f"3x{facts.height}x{facts.width}"
    shapes = (
        f"--minShapes={facts.input}:1x{size} --optShapes={facts.input}:{min(8, batch)}x{size} "
        f"--maxShapes={facts.input}:{batch}x{size}"
    )
    tracker = engine_name(batch, facts.precision)
    nvinfer = engine_name(batch, nvinfer_mode(facts, choices.version))
    weak = facts.precision == "int8" and not choices.version.strongly_typed
    types = "--int8 --fp16" if weak else "--stronglyTyped"
    link = f"\n    cp {tracker} {nvinfer}" if nvinfer != tracker else ""
    return f"""## 1. Build the engine on the device

    cd {place}
    {TRTEXEC} --onnx={ONNX} {types} \\
        {shapes} \\
        --saveEngine={tracker}{link}

{_why_prebuilt(facts, choices)}

{_check(facts, choices)}
"""


def _why_prebuilt(facts: Facts, choices: Choices) -> str:
    if facts.precision != "int8":
        return (
            "Both elements would also build it themselves at their first start, which takes "
            "minutes; the names are the ones they look for."
        )
    nvinfer = (
        "nvinfer could build it itself, since it can take the types from the graph"
        if choices.version.strongly_typed
        else "nvinfer falls back to FP16 without a calibration table and then leaves out the flag "
        f"that TensorRT wants for such a graph ({SOURCES['q/dq needs int8']})"
    )
    return (
        "Do not leave this step out. The graph carries its own INT8 scales (Q/DQ), and the "
        "tracker's INT8 mode is documented for calibration tables only "
        f"({SOURCES['tracker int8']}); {nvinfer}. An engine that is there already is taken as it "
        "is."
    )


def _check(facts: Facts, choices: Choices) -> str:
    """Some versions of TensorRT compile transformers wrongly and say nothing."""
    engine = engine_name(choices.batch, facts.precision)
    runs = "\n".join(
        f"    {TRTEXEC} --loadEngine={engine} --iterations=1 --duration=0 --warmUp=0 \\\n"
        f"        --shapes={facts.input}:{size}x3x{facts.height}x{facts.width} "
        f"--loadInputs={facts.input}:golden_{size}.bin --exportOutput=answer_{size}.json\n"
        f"    python3 {PROGRAM} answer_{size}.json"
        for size in golden_batches(choices.batch)
    )
    return f"""Let it answer the bundle's golden crops, alone and together, before anything uses it:

{runs}

A 0 means that it computes what was proven; anything else, do not use it."""


def _app(choices: Choices) -> str:
    return f"""## 2. Name the files to deepstream-app

    [tracker]
    enable=1
    tracker-width=1920
    tracker-height=1088
    ll-lib-file={TRACKER_LIBRARY}
    ll-config-file={choices.place / TRACKER}

    [secondary-gie0]
    enable=1
    gie-unique-id=2
    operate-on-gie-id=1
    batch-size={choices.batch}
    config-file={choices.place / NVINFER}

    deepstream-app -c YOUR_APP.txt

One of the two is enough: the tracker for steady numbers, the secondary element for embeddings of
your own. `operate-on-class-ids` must name your detector's class of people. The tracker scales each
frame to tracker-width x tracker-height and crops from that: a smaller tracker frame is a smaller
person (`--tracker-scale` measures it).
"""


def _thresholds(cost: ResizeCost | None) -> str:
    if cost is None:
        return """## 3. Match thresholds

**The thresholds in the bundle do not hold here.** They were derived behind the reference resize,
and DeepStream crops and resizes in its own way. Get thresholds that do:

    personvit-deploy deepstream BUNDLE -o DIR --data DATA
"""
    return "\n".join(["## 3. Match thresholds", "", *_measured(cost), ""])


def _measured(cost: ResizeCost) -> Iterator[str]:
    whose = "synthetic pedestrians, not people" if cost.synthetic else "training people"
    yield (
        f"Measured on {whose} ({cost.data}), by an *emulation* of DeepStream's crop and "
        f"resize on this machine's processor ({cost.runtime}), same graph both times:"
    )
    yield ""
    yield "| path | cosine, median | worst | 10 nearest kept |"
    yield "|---|---|---|---|"
    for path in cost.paths:
        kept = f"{100 * path.overlap:.1f} %"
        yield f"| {path.path.name} | {path.median:.4f} | {path.cosine.smallest:.4f} | {kept} |"
    yield ""
    for path in cost.paths:
        yield from _table(path)
        if path.sentence:
            yield path.sentence + "\n"
    if cost.no_thresholds:
        yield cost.no_thresholds
    yield (
        "A match is a cosine of at least the threshold. `thresholds.json` has the same with its "
        "counts. The tracker's own minMatchingScore4ReidSimilarity is another scale: no document "
        "maps a cosine to it."
    )


def _table(cost: PathCost) -> Iterator[str]:
    if cost.thresholds is None:
        return
    yield f"| {cost.path.name}: false accepts | reference resize | DeepStream | true accepts |"
    yield "|---|---|---|---|"
    for old, new in zip(cost.thresholds.reference, cost.thresholds.candidate, strict=True):
        if old.threshold is None or new.threshold is None or new.tar is None or old.tar is None:
            yield f"| {old.far:g} | not resolvable with so few people | | |"
            continue
        fresh = f"**{new.threshold:.4f}** [{new.low:.4f}, {new.high:.4f}]"
        true = f"{100 * old.tar:.1f} % -> {100 * new.tar:.1f} %"
        before = f"{old.threshold:.4f} [{old.low:.4f}, {old.high:.4f}]"
        yield f"| {old.far:g} | {before} | {fresh} | {true} |"
    yield ""


def _reading(facts: Facts) -> str:
    releases = ", ".join(VERSIONS)
    return f"""## 4. Read the embeddings

From the secondary element: `NvDsInferTensorMeta` of each object (`{facts.output}`,
{facts.dimension} floats). From the tracker: `NVDS_TRACKER_OBJ_REID_META`, an `NvDsObjReid` per
object. Their dot product is the cosine. They may be compared with a gallery that was embedded by
the same graph behind the same resize.

Releases this tool writes for: {releases}."""
