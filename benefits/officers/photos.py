"""Photos as they come from phones: known by their bytes, and rid of what the camera noted.

Pure. A file's name and declared type are not believed. Where a picture was taken, by whom and on
which device stands in segments beside the picture; only what a browser needs to draw it is kept.
"""

from benefits.officers.errors import InvalidPhotoError

MAX_BYTES = 2 * 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB", b"gAMA"})
# Markers without a length, and those that are dropped: application data but JFIF's, comments.
_JPEG_DROPPED = frozenset({*range(0xE1, 0xF0), 0xFE}) - {0xEE}
_SOS, _EOI, _SOI = 0xDA, 0xD9, 0xD8


def clean_photo(content: bytes) -> tuple[str, bytes]:
    """Return the media type and the picture without metadata.

    :raises InvalidPhotoError: if it is too large, or no whole JPEG or PNG.
    """
    if len(content) > MAX_BYTES:
        raise InvalidPhotoError(reason="too_large", most_bytes=MAX_BYTES, pointer="/photos")
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", _clean_jpeg(content)
    if content.startswith(_PNG):
        return "image/png", _clean_png(content)
    raise InvalidPhotoError(reason="type", pointer="/photos")


def _clean_jpeg(content: bytes) -> bytes:
    kept = bytearray(content[:2])
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _SOS:
            end = content.rfind(b"\xff\xd9")
            if end < at:
                break
            return bytes(kept + content[at : end + 2])
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(content) or marker in {_SOI, _EOI}:
            break
        if marker not in _JPEG_DROPPED:
            kept += content[at : at + 2 + length]
        at += 2 + length
    raise InvalidPhotoError(reason="broken", pointer="/photos")


def _clean_png(content: bytes) -> bytes:
    kept = bytearray(_PNG)
    at = len(_PNG)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(content):
            break
        if name in _PNG_KEPT:
            kept += content[at:end]
        if name == b"IEND":
            return bytes(kept)
        at = end
    raise InvalidPhotoError(reason="broken", pointer="/photos")
