"""How a page looks, in numbers: pixels of a PNG, contrast of colours, colours as people with a colour vision
deficiency see them."""
import struct
import zlib


def png_pixels(data):
    """Width, height and rows of bytes (three or four a pixel) of an 8-bit PNG without interlacing, and bytes a
    pixel (https://www.w3.org/TR/png/)."""
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    assert depth == 8 and kind in (2, 6) and interlace == 0
    size, at, packed = (3 if kind == 2 else 4), 8, b""
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    raw, rows, before = zlib.decompress(packed), [], bytes(width * size)
    for y in range(height):
        line = raw[y * (width * size + 1):(y + 1) * (width * size + 1)]
        before = unfilter(line[0], bytearray(line[1:]), before, size)
        rows.append(before)
    return width, height, rows, size


def unfilter(kind, line, above, size):
    if kind == 1:
        for i in range(size, len(line)):
            line[i] = (line[i] + line[i - size]) & 255
    elif kind == 2:
        return bytes((a + b) & 255 for a, b in zip(line, above))
    elif kind == 3:
        for i in range(len(line)):
            line[i] = (line[i] + ((line[i - size] if i >= size else 0) + above[i]) // 2) & 255
    elif kind == 4:
        for i in range(len(line)):
            a, c = (line[i - size], above[i - size]) if i >= size else (0, 0)
            b = above[i]
            p = a + b - c
            near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
            line[i] = (line[i] + near[2]) & 255
    return bytes(line)


def drawn_share(data, step=3):
    """The share of pixels that are not of the most frequent colour, and how many colours there are."""
    width, height, rows, size = png_pixels(data)
    counts = {}
    for y in range(0, height, step):
        for x in range(0, width, step):
            colour = rows[y][x * size:x * size + 3]
            counts[colour] = counts.get(colour, 0) + 1
    return 1 - max(counts.values()) / sum(counts.values()), len(counts)


# ---- colours, as (r, g, b) of 0..255 ----

def linear(channel):
    c = channel / 255
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4


def contrast(a, b):
    """WCAG 2.2's ratio, 1..21."""
    x, y = (sum(w * linear(c) for w, c in zip((0.2126, 0.7152, 0.0722), colour)) for colour in (a, b))
    return (max(x, y) + 0.05) / (min(x, y) + 0.05)


# Of linear RGB, at full severity: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model
# for Simulation of Color Vision Deficiency", 2009, table 1.
DEFICIENCIES = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(colour, deficiency):
    """CIE L*a*b* (D65) of a colour as it is seen."""
    rgb = [linear(c) for c in colour]
    seen = [min(1, max(0, sum(m * c for m, c in zip(row, rgb)))) for row in DEFICIENCIES[deficiency]]
    xyz = [sum(m * c for m, c in zip(row, seen)) / white for row, white in (
        ((0.4124, 0.3576, 0.1805), 0.95047), ((0.2126, 0.7152, 0.0722), 1), ((0.0193, 0.1192, 0.9505), 1.08883))]
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(a, b, deficiency):
    """CIE 1976 difference; about 2.3 is just to be seen."""
    return sum((p - q) ** 2 for p, q in zip(lab(a, deficiency), lab(b, deficiency))) ** 0.5
