def best(scores: object, count: int, /) -> list[tuple[int, float]] | None:
    """Finds the best scores; of equal ones the lower index comes first.

    Args:
        scores: float32, C-contiguous.
        count: How many, at least 1; more than there are gives all.

    Returns:
        Index and score, best first; None where a score is not a finite number.

    Raises:
        ValueError: The scores are not 4 bytes each, or count is not positive.
    """

def resize(
    source: object,
    size: tuple[int, int],
    out: object,
    out_size: tuple[int, int],
    box: tuple[float, float, float, float],
    portable: bool = False,
    /,
) -> None:
    """Resizes RGB as Pillow's ``BILINEAR`` does, along the rows first, and lets other threads run.

    Args:
        source: The picture's rows, 4 bytes a pixel (red, green, blue, unused), C-contiguous; or the
            capsule ``arrow_array`` of Pillow's ``__arrow_c_array__``, of the same layout.
        size: The picture's width and height, 1..65535.
        out: Takes the result, 3 bytes a pixel, C-contiguous.
        out_size: Its width and height, 1..65535.
        box: Left, top, right and bottom of what is resized, within the picture.
        portable: Without the processor's vector instructions, for tests.

    Raises:
        ValueError: A size, the box or a length does not fit.
        MemoryError: There is none left.
    """

def bilinear(
    source: object,
    size: tuple[int, int],
    each: int,
    out: object,
    across: object,
    down: object,
    /,
) -> None:
    """Resizes as ``edge_runtime.image.resize_and_crop`` says, and lets other threads run.

    Args:
        source: The picture's rows, as :func:`resize` takes them, or of one byte a pixel.
        size: The picture's width and height, 1..65535.
        each: Bytes of a pixel: 4 (red, green, blue, unused) or 1.
        out: Takes the result, 3 bytes a pixel or 1, C-contiguous.
        across: For each column of the result, two int32: the left one of two columns of the picture,
            and the weight of the other, 0..2048; where that is 0, the other is not read.
        down: The same of its rows.

    Raises:
        ValueError: A size, a tap or a length does not fit.
    """
