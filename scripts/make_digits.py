"""Make src/adversaria/data/digits.npz from the copy of the UCI digits that scikit-learn distributes.

    pip install scikit-learn && python scripts/make_digits.py

Values stay as they are there, 0..16; the file is the same to the byte each time.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "src" / "adversaria" / "data" / "digits.npz"


def main() -> None:
    """Write the file."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    if images.shape != (1797, 8, 8) or images.max() != 16 or not np.array_equal(images, digits.images):
        raise SystemExit("scikit-learn's digits are not the 1,797 images of 8×8 values 0..16 that are expected")
    np.savez_compressed(TARGET, images=images, labels=labels)


if __name__ == "__main__":
    main()
