"""The rest of a tracker file around the ReID block: values to start from, tuned for nothing."""

from __future__ import annotations

from .deepstream_settings import Setting

_START = "a value to start from; tune it on your own video"
_NO_MAPPING = "no document maps a cosine to this score; tune it on your own video"

_ROWS: tuple[tuple[str, str, int | float], ...] = (
    ("BaseConfig", "minDetectorConfidence", 0.2),
    ("TargetManagement", "maxTargetsPerStream", 150),
    ("TargetManagement", "minIouDiff4NewTarget", 0.5),
    ("TargetManagement", "minTrackerConfidence", 0.2),
    ("TargetManagement", "probationAge", 3),
    ("TargetManagement", "maxShadowTrackingAge", 40),
    ("TargetManagement", "earlyTerminationAge", 1),
    ("TrajectoryManagement", "useUniqueID", 0),
    ("TrajectoryManagement", "enableReAssoc", 1),
    ("TrajectoryManagement", "reidExtractionInterval", 8),
    ("TrajectoryManagement", "matchingScoreWeight4TrackletSimilarity", 0.5),
    ("TrajectoryManagement", "matchingScoreWeight4ReidSimilarity", 0.5),
    ("TrajectoryManagement", "minMatchingScore4ReidSimilarity", 0.5),
    ("DataAssociator", "dataAssociatorType", 0),
    ("DataAssociator", "associationMatcherType", 1),
    ("DataAssociator", "checkClassMatch", 1),
    ("DataAssociator", "matchingScoreWeight4VisualSimilarity", 0.4),
    ("DataAssociator", "matchingScoreWeight4SizeSimilarity", 0.2),
    ("DataAssociator", "matchingScoreWeight4Iou", 0.4),
    ("StateEstimator", "stateEstimatorType", 1),
    ("StateEstimator", "processNoiseVar4Loc", 2.0),
    ("StateEstimator", "processNoiseVar4Size", 1.0),
    ("StateEstimator", "processNoiseVar4Vel", 0.1),
    ("StateEstimator", "measurementNoiseVar4Detector", 4.0),
    ("StateEstimator", "measurementNoiseVar4Tracker", 16.0),
    ("VisualTracker", "visualTrackerType", 1),
    ("VisualTracker", "useColorNames", 1),
    ("VisualTracker", "useHog", 0),
    ("VisualTracker", "featureImgSizeLevel", 2),
    ("VisualTracker", "filterLr", 0.075),
    ("VisualTracker", "filterChannelWeightsLr", 0.1),
    ("VisualTracker", "gaussianSigma", 0.75),
)

START: tuple[Setting, ...] = tuple(
    Setting(
        section,
        key,
        value,
        "choice",
        _NO_MAPPING if key.endswith("ReidSimilarity") else _START,
        "tracker keys",
    )
    for section, key, value in _ROWS
)
