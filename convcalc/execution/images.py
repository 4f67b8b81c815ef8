"""Pictures as inputs of networks: PNG and JPEG."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.execution.files import opened
from convcalc.graph import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Array = NDArray[Any]

SUFFIXES = (".png", ".jpg", ".jpeg")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Means and standard deviations of R, G and B in ImageNet, as torchvision's models take them."""


def read_image(
    path: str,
    node: Node,
    *,
    resize: int | None = None,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
    names: Sequence[str] = (),
) -> Array:
    """A picture as the input [1, C, H, W] of a network: float32, (values from 0 to 1 − mean) / std.

    A network of 3 channels takes R, G, B, and one of 1 channel the grey of ITU-R BT.601,
    0.299 R + 0.587 G + 0.114 B; grey pictures serve both. Pictures are turned upright as their EXIF
    says. Grey of 16 bits keeps its 65,536 levels; colours of 16 bits, which Pillow halves, CMYK,
    and transparency, behind which anything may be, are refused.

    Args:
        path: of a .png, .jpg or .jpeg file.
        node: the input.
        resize: the length of the shorter side after a bilinear resizing, of whose result the centre
            is cropped, as torchvision's Resize and CenterCrop do; without it, sizes must be equal.
        mean: what is subtracted, of all channels or of each.
        std: what is divided by then, of all channels or of each.
        names: what the spec calls H and W, for the way out where sizes differ.

    Raises:
        UsageError: there is no Pillow, or the wrong number of means or deviations.
        ConvcalcError: the network takes no picture, or the file is none that it can take.
    """
    import numpy

    shape: Any = tuple(node.shape)
    if len(shape) != 4 or shape[:2] not in ((1, 1), (1, 3)):
        raise ConvcalcError(
            f"{shorten(path, 200)}: a picture is [1, 1, H, W] or [1, 3, H, W], and the network "
            f"takes {list(shape)}"
        )
    channels, sizes = shape[1], shape[2:]
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise UsageError(f"{name}: {len(values)} values, and the input has {channels} channels")
    with opened(path) as file:
        image = _plain(_open(file, path), path)
    if resize is not None:
        image = _resized(image, resize, sizes, path)
    elif image.size != sizes[::-1]:
        raise _other_size(image, sizes, path, names)
    pixels = (_pixels(image, channels) - _column(mean)) / _column(std)
    return numpy.ascontiguousarray(pixels[None])


def _open(file: IO[bytes], path: str) -> Image:
    """The picture in a file, decoded and upright."""
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise UsageError("pictures need Pillow", hint="pip install 'convcalc[image]'") from None

    head = file.read(26)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[24:25] == b"\x10" and head[25:] != b"\0":
        raise _unfit(path, "has colours, or transparency, of 16 bits a channel", "Save 8 bits.")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is odd
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=("PNG", "JPEG"))
            animated = image.format == "PNG" and getattr(image, "is_animated", False)
            upright = ImageOps.exif_transpose(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        most = Image.MAX_IMAGE_PIXELS or 0
        raise _unfit(path, f"has more than {most:,} pixels, Pillow's limit", "") from None
    except Exception as error:  # decoders of a stranger's bytes raise what they please
        raise _unfit(path, f"is no whole PNG or JPEG ({shorten(str(error), 200)})", "") from None
    if animated:
        raise _unfit(path, "is animated", "Save one picture of it.")
    return upright


def _plain(image: Image, path: str) -> Image:
    """The picture in one of the modes L (grey), RGB, and F, here grey of 16 bits from 0 to 1."""
    from PIL import Image as images

    if image.mode.startswith("I") and "transparency" not in image.info:  # grey of 16 bits
        import numpy

        return images.fromarray(numpy.asarray(image).astype("float32") / 65535)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        if not image.mode.startswith("I"):
            image = image.convert("RGBA")
            if image.getchannel("A").getextrema()[0] == 255:
                return image.convert("RGB")
        raise _unfit(
            path, "has transparent pixels, and nothing says what is behind them",
            "Save it without transparency.",
        )  # fmt: skip
    if image.mode in ("1", "L", "P", "RGB"):
        return image.convert({"1": "L", "P": "RGB"}.get(image.mode, image.mode))
    raise _unfit(path, f"is of mode {image.mode}, not grey or RGB", "Save it as RGB.")


def _resized(image: Image, short: int, sizes: tuple[int, int], path: str) -> Image:
    """The centre, of the sizes H and W, of the picture with the shorter side so long."""
    from PIL import Image as images

    width, height = image.size
    long = int(short * max(width, height) / min(width, height))
    width, height = (short, long) if width <= height else (long, short)
    if height < sizes[0] or width < sizes[1]:
        raise _unfit(
            path, f"resized, is {height} × {width}, and the network takes H × W = "
            f"{sizes[0]} × {sizes[1]}", "A larger --resize would do.",
        )  # fmt: skip
    if width * height > (images.MAX_IMAGE_PIXELS or math.inf):
        raise _unfit(path, f"resized, has {width * height:,} pixels, which are too many", "")
    top, left = round((height - sizes[0]) / 2), round((width - sizes[1]) / 2)
    resized = image.resize((width, height), images.Resampling.BILINEAR)
    return resized.crop((left, top, left + sizes[1], top + sizes[0]))


def _pixels(image: Image, channels: int) -> Array:
    """The pixels, (C, H, W), in float32, from 0 to 1."""
    import numpy

    if channels == 1 and image.mode == "RGB":
        image = image.convert("L")
    pixels = numpy.asarray(image, "float32")
    if image.mode != "F":
        pixels = pixels / numpy.float32(255)
    if pixels.ndim == 2:
        return numpy.broadcast_to(pixels, (channels, *pixels.shape))
    return pixels.transpose(2, 0, 1)


def _column(values: Sequence[float]) -> Array:
    import numpy

    return numpy.array(values, "float32").reshape(-1, 1, 1)


def _other_size(image: Image, sizes: tuple[int, int], path: str, names: Sequence[str]) -> Exception:
    width, height = image.size
    built = ""
    if {"H", "W"} <= set(names):
        built = f"--set H={height} --set W={width} builds it for this size; "
    return _unfit(
        path, f"is H × W = {height} × {width}, and the network takes {sizes[0]} × {sizes[1]}",
        f"{built}--resize {max(sizes)} resizes the picture.",
    )  # fmt: skip


def _unfit(path: str, why: str, hint: str) -> ConvcalcError:
    return ConvcalcError(f"{shorten(path, 200)} {why}", hint=hint)
