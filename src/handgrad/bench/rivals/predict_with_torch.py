"""A whole program in PyTorch: what is on this image? Nothing of handgrad is in it.

    python predict_with_torch.py MODEL.safetensors IMAGE '["name of class 0", …]'

Five convolutions, as a user of PyTorch writes them.
"""

import json
import sys

__all__ = ["main"]


def main(model: str, image: str, names: str) -> None:
    """Print the likeliest class, and then all probabilities as a JSON list."""
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import load_file
    from torch import nn

    def convolution(before: int, after: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

    network = nn.Sequential(
        *convolution(1, 24), *convolution(24, 24), nn.MaxPool2d(2),
        *convolution(24, 48), *convolution(48, 48), nn.MaxPool2d(2),
        *convolution(48, 96), nn.Flatten(), nn.Linear(384, 10),
    )  # fmt: skip
    network.load_state_dict(load_file(model))
    network.eval()
    with Image.open(image) as opened:
        grey = opened.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    x = torch.from_numpy(np.array(grey, dtype=np.float32) / 255)[None, None]
    with torch.inference_mode():
        probabilities = torch.softmax(network(x), dim=1)[0].tolist()
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    print(image, json.loads(names)[best], f"{100 * probabilities[best]:.2f} %")
    print(json.dumps(probabilities))


if __name__ == "__main__":
    main(*sys.argv[1:])
