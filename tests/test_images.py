"""Pictures as inputs: their numbers, their sizes, and the files that are none."""

from __future__ import annotations

import io
import random
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import convcalc
from convcalc.commands import cli
from convcalc.execution.images import IMAGENET, read_image

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow: 'convcalc[image]'")

RNG = np.random.default_rng(5)
COLOURS = RNG.integers(0, 256, (6, 8, 3), "uint8")
GREYS = RNG.integers(0, 256, (6, 8), "uint8")


def node(channels: int = 3, height: int = 6, width: int = 8) -> Any:
    text = f"{{input: [{channels}, {height}, {width}], layers: [relu]}}"
    return convcalc.loads(text).graph.inputs[0]


def saved(folder: Path, image: Any, name: str = "x.png", **options: Any) -> str:
    image = images.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(folder / name, **options)
    return str(folder / name)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG as its standard (W3C, PNG, section 11) describes it; kind 0 is grey, 2 is colours."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )  # fmt: skip


# -- the numbers ----------------------------------------------------------------------------------


def test_colours_are_numbers_from_0_to_1(tmp_path: Path) -> None:
    x = read_image(saved(tmp_path, COLOURS), node())
    assert x.shape == (1, 3, 6, 8)
    assert x.dtype == np.float32
    assert (x[0] == COLOURS.transpose(2, 0, 1).astype("float32") / np.float32(255)).all()
    assert x.flags.c_contiguous


def test_the_file_is_read_as_the_standard_says(tmp_path: Path) -> None:
    """Rows from the top, every one after its filter byte, R before G before B."""
    rows = b"".join(b"\0" + row.tobytes() for row in COLOURS)
    (tmp_path / "x.png").write_bytes(png(8, 6, 8, 2, rows))
    assert (read_image(str(tmp_path / "x.png"), node()) * 255 == COLOURS.transpose(2, 0, 1)).all()


def test_grey_serves_one_channel_and_three(tmp_path: Path) -> None:
    path = saved(tmp_path, GREYS)
    assert (read_image(path, node(1))[0, 0] == GREYS / np.float32(255)).all()
    assert (read_image(path, node(3)) == read_image(path, node(1))).all()


def test_colours_become_grey_as_in_bt_601(tmp_path: Path) -> None:
    grey = read_image(saved(tmp_path, COLOURS), node(1))[0, 0]
    assert abs(grey - COLOURS @ [0.299, 0.587, 0.114] / 255).max() < 0.6 / 255


def test_palettes_and_bits(tmp_path: Path) -> None:
    few = images.fromarray(COLOURS // 128 * 128)
    assert (
        read_image(saved(tmp_path, few.quantize(8)), node())
        == read_image(saved(tmp_path, few, "y.png"), node())
    ).all()
    bits = images.fromarray(GREYS > 100)
    assert (read_image(saved(tmp_path, bits), node(1))[0, 0] == (GREYS > 100)).all()


def test_grey_of_16_bits_keeps_its_levels(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (6, 8)).astype("uint16")
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    (tmp_path / "x.png").write_bytes(png(8, 6, 16, 0, rows))
    x = read_image(str(tmp_path / "x.png"), node(1))[0, 0]
    assert (np.rint(x * 65535) == values).all()


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 32 * 40 * 3).reshape(32, 40, 3).astype("uint8")
    for name in ("x.jpg", "x.jpeg"):
        x = read_image(saved(tmp_path, smooth, name, quality=95), node(3, 32, 40))
        assert abs(x[0] * 255 - smooth.transpose(2, 0, 1)).max() < 8


def test_normalisation(tmp_path: Path) -> None:
    path = saved(tmp_path, COLOURS)
    x = read_image(path, node())
    mean, std = (np.array(values, "float32").reshape(3, 1, 1) for values in IMAGENET)
    y = read_image(path, node(), mean=IMAGENET[0], std=IMAGENET[1])
    assert (y == (x - mean) / std).all()
    assert y.dtype == np.float32
    assert (read_image(path, node(), mean=[0.5], std=[0.5]) == (x - np.float32(0.5)) * 2).all()


def test_pictures_are_turned_upright(tmp_path: Path) -> None:
    """EXIF's orientation 6: the first row is the right side."""
    image = images.fromarray(COLOURS)
    exif = image.getexif()
    exif[0x0112] = 6
    x = read_image(saved(tmp_path, image, exif=exif), node(3, 8, 6))
    assert (np.rint(x[0].transpose(1, 2, 0) * 255) == np.rot90(COLOURS, -1)).all()


# -- sizes ----------------------------------------------------------------------------------------


def bilinear(x: Any, size: int) -> Any:
    """Along the first axis to fewer positions: a triangle as wide as two outputs, as Pillow's."""
    scale = len(x) / size
    centres = (np.arange(size)[:, None] + 0.5) * scale
    weights = np.maximum(0, 1 - abs(np.arange(len(x)) + 0.5 - centres) / scale)
    return np.tensordot(weights / weights.sum(1, keepdims=True), x, 1)


def test_resizing_and_cropping_are_torchvisions(tmp_path: Path) -> None:
    """Resize(20) of 31 × 45 makes 20 × ⌊20 · 45/31⌋ = 29; CenterCrop(18) starts at 1 and 6."""
    large = RNG.integers(0, 256, (31, 45, 3), "uint8")
    x = read_image(saved(tmp_path, large), node(3, 18, 18), resize=20)
    full = bilinear(bilinear(large.astype(float), 20).swapaxes(0, 1), 29).swapaxes(0, 1)
    cropped = full[1:19, 6:24].transpose(2, 0, 1)  # (29 − 18)/2 = 5.5, to the even 6
    assert abs(x[0] * 255 - cropped).max() < 1.6  # two roundings to whole levels
    tall = read_image(saved(tmp_path, large.swapaxes(0, 1)), node(3, 18, 18), resize=20)
    assert abs(tall.swapaxes(2, 3) - x).max() < 1.6 / 255


def test_a_picture_of_another_size(tmp_path: Path) -> None:
    path = saved(tmp_path, COLOURS)
    with pytest.raises(convcalc.ConvcalcError) as error:
        read_image(path, node(3, 4, 5), names=["H", "W"])
    assert str(error.value) == (
        f"{path} is H × W = 6 × 8, and the network takes 4 × 5. --set H=6 --set W=8 builds it for "
        "this size; --resize 5 resizes the picture."
    )
    with pytest.raises(convcalc.ConvcalcError, match=r"takes 8 × 6. --resize 8 resizes"):
        read_image(path, node(3, 8, 6), names=["H"])
    with pytest.raises(convcalc.ConvcalcError, match=r"resized, is 5 × 6, and .* H × W = 5 × 7"):
        read_image(path, node(3, 5, 7), resize=5)
    with pytest.raises(convcalc.ConvcalcError, match=r"resized, has .* pixels, which are too many"):
        read_image(path, node(3, 5, 7), resize=50_000)


@pytest.mark.parametrize("shape", ["[5, 6, 8]", "[3, 48]", "[3, 2, 6, 8]"])
def test_a_network_that_takes_no_picture(shape: str, tmp_path: Path) -> None:
    path = saved(tmp_path, COLOURS)
    (source,) = convcalc.loads(f"{{input: {shape}, layers: [relu]}}").graph.inputs
    with pytest.raises(convcalc.ConvcalcError, match=r"a picture is \[1, 1, H, W\] or \[1, 3, H"):
        read_image(path, source)


# -- pictures that are refused --------------------------------------------------------------------


def alpha(values: Any) -> Any:
    return np.concatenate([COLOURS, np.broadcast_to(values, (6, 8, 1)).astype("uint8")], axis=2)


def test_transparency(tmp_path: Path) -> None:
    opaque = read_image(saved(tmp_path, alpha(255)), node())
    assert (opaque == read_image(saved(tmp_path, COLOURS), node())).all()
    grey = np.stack([GREYS, np.full_like(GREYS, 255)], axis=2)
    assert (read_image(saved(tmp_path, grey), node(1))[0, 0] == GREYS / np.float32(255)).all()
    transparent = [
        alpha(254), np.stack([GREYS, GREYS], axis=2), images.fromarray(alpha(9)).quantize(8),
    ]  # fmt: skip
    paths = [saved(tmp_path, image, f"{i}.png") for i, image in enumerate(transparent)]
    paths.append(saved(tmp_path, COLOURS, "t.png", transparency=tuple(map(int, COLOURS[0, 0]))))
    for path in paths:
        with pytest.raises(convcalc.ConvcalcError, match="has transparent pixels"):
            read_image(path, node())


@pytest.mark.parametrize(("depth", "kind", "size"), [(16, 2, 6), (16, 6, 8), (16, 4, 4)])
def test_colours_of_16_bits(depth: int, kind: int, size: int, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png(8, 6, depth, kind, (b"\0" + bytes(8 * size)) * 6))
    with pytest.raises(convcalc.ConvcalcError, match="of 16 bits a channel"):
        read_image(str(tmp_path / "x.png"), node())


def test_modes_that_are_neither_grey_nor_rgb(tmp_path: Path) -> None:
    path = saved(tmp_path, images.new("CMYK", (8, 6)), "x.jpg")
    with pytest.raises(convcalc.ConvcalcError, match="is of mode CMYK, not grey or RGB"):
        read_image(path, node())


def test_animations(tmp_path: Path) -> None:
    more = [images.fromarray(255 - COLOURS)]
    path = saved(tmp_path, COLOURS, save_all=True, append_images=more)
    with pytest.raises(convcalc.ConvcalcError, match="is animated"):
        read_image(path, node())


def bombs() -> dict[str, tuple[bytes, str]]:
    whole = io.BytesIO()
    images.fromarray(COLOURS).save(whole, "png")
    jpeg = io.BytesIO()
    images.fromarray(RNG.integers(0, 256, (64, 64, 3), "uint8")).save(jpeg, "jpeg")
    gif = io.BytesIO()
    images.fromarray(GREYS).save(gif, "gif")
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(9_000_000)))
    return {
        "large.png": (png(10_000, 10_000, 1, 0, b""), "has more than 89,478,485 pixels"),
        "huge.png": (png(2**31 - 1, 2**31 - 1, 1, 0, b""), "has more than 89,478,485 pixels"),
        "cut.png": (whole.getvalue()[:-30], "is no whole PNG or JPEG"),
        "cut.jpg": (jpeg.getvalue()[:-200], "is no whole PNG or JPEG"),
        "short.png": (png(8, 6, 8, 2, b"\0" * 20), "is no whole PNG or JPEG"),
        "text.png": (whole.getvalue()[:33] + text + whole.getvalue()[33:], "is no whole PNG or"),
        "gif.png": (gif.getvalue(), "is no whole PNG or JPEG"),
        "words.png": (b"hello", "is no whole PNG or JPEG"),
        "empty.jpg": (b"", "is no whole PNG or JPEG"),
    }


@pytest.mark.parametrize("name", bombs())
def test_files_that_are_no_pictures(name: str, tmp_path: Path) -> None:
    data, text = bombs()[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(convcalc.ConvcalcError, match=text) as error:
        read_image(str(tmp_path / name), node())
    assert name in str(error.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(convcalc.ConvcalcError, match=r"nothing\.png cannot be read: No such file"):
        read_image("nothing.png", node())


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_no_damage_ends_in_another_error(name: str, tmp_path: Path) -> None:
    image = images.fromarray(RNG.integers(0, 256, (16, 16, 3), "uint8"))
    exif = image.getexif()
    exif[0x0112] = 6
    data = Path(saved(tmp_path, image, name, exif=exif)).read_bytes()
    rng = random.Random(3)
    path = tmp_path / name
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(data), len(data), rng.randrange(len(data))])])
        try:
            read_image(str(path), node(3, 16, 16))
        except convcalc.ConvcalcError:
            refused += 1
    assert refused > 90


def test_odd_metadata_is_not_talked_about(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = saved(tmp_path, COLOURS, "x.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0")
    warnings.simplefilter("always")
    read_image(path, node())
    assert not recwarn.list


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "net.yaml").write_text(
        "{input: [3, H, W], variables: {H: 6, W: 8}, layers: [relu, flatten, linear: 3]}"
    )
    return str(tmp_path / "net.yaml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments])


def test_run_takes_pictures(spec: str, tmp_path: Path) -> None:
    path, target = saved(tmp_path, COLOURS), str(tmp_path / "y.npy")
    net = convcalc.load(spec)
    means, stds = IMAGENET
    numbers = ["--mean", "0.485,0.456,0.406", "--std", "0.229, 0.224, 0.225"]
    for options in (["--imagenet"], numbers):
        done = run(spec, "--input", path, "-o", target, *options)
        assert done.exit_code == 0, done.output
        assert done.output.startswith("linear1: [1, 3] float32\n")
        due = net.run(read_image(path, net.graph.inputs[0], mean=means, std=stds))
        assert (np.load(target) == due).all()
    done = run(spec, "--input", path, "--set", "H=4", "--set", "W=4", "--resize", "5", "-o", target)
    assert done.exit_code == 0, done.output
    due = convcalc.load(spec, H=4, W=4).run(read_image(path, node(3, 4, 4), resize=5))
    assert (np.load(target) == due).all()
    assert "--set H=6 --set W=8" in str(run(spec, "--input", path, "--set", "H=5").exception)
    assert "a picture is [1, 1, H, W]" in str(run(spec, "--input", path, "--batch", "2").exception)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--mean", "0.5"], "--mean: for an --input that is a picture, .png, .jpg, .jpeg"),
        (["--input", "x.npy", "--resize", "5", "--imagenet"], "--resize, --imagenet: for an"),
        (["--input", "x.png", "--imagenet", "--std", "1"], "--imagenet is a --mean and a --std"),
        (["--input", "x.png", "--mean", "1,2"], "mean: 2 values, and the input has 3 channels"),
        (["--input", "x.png", "--mean", "a"], "--mean a: numbers are due"),
        (["--input", "x.png", "--mean", "nan"], "--mean nan: numbers are due"),
        (["--input", "x.png", "--std", "1,0,1"], "--std 1,0,1: numbers are due"),
        (["--input", "x.gif"], "an input is read from .npy, .png, .jpg, .jpeg"),
    ],
)
def test_what_run_refuses(options: list[str], text: str, spec: str) -> None:
    done = run(spec, *options)
    assert text in str(done.exception)
    assert isinstance(done.exception, convcalc.ConvcalcError)
    assert done.exception.exit_code == 2


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, COLOURS)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(convcalc.ConvcalcError, match=r"pip install 'convcalc\[image\]'") as error:
        read_image(path, node())
    assert error.value.exit_code == 2
