"""Find a person: embed one crop and a folder of crops, and name the five most alike.

    python find_person.py model.safetensors query.jpg gallery/

Any weights that personvit can load will do, and so will a bundle made by personvit-export.
"""

import sys
from pathlib import Path

import numpy as np

from personvit.core.images import SUFFIXES, read_image
from personvit.engines.catalogue import open_engine


def main(weights: str, query: str, gallery: str) -> None:
    paths = sorted(path for path in Path(gallery).rglob("*") if path.suffix.lower() in SUFFIXES)
    with open_engine(weights) as engine:

        def embed(images: list[Path]) -> np.ndarray:
            return engine.embed(np.stack([engine.preprocess.resize(read_image(p)) for p in images]))

        likeness = (embed([Path(query)]) @ embed(paths).T)[0]
    for index in np.argsort(-likeness, kind="stable")[:5]:
        print(f"{likeness[index]:.3f}  {paths[index]}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
