"""APK Signature Schemes v2 and v3: the block before the zip's directory that covers every byte.

https://source.android.com/docs/security/features/apksigning/v2 and ``v3``. Android 7 and 8 check v2,
later ones v3, which says that it is there inside v2 so that it cannot be taken out.
"""

from __future__ import annotations

import hashlib
import struct

from phone.apk.signing_key import SigningKey

_MAGIC = b"APK Sig Block 42"
_V2, _V3 = 0x7109871A, 0xF05368C0
_STRIPPING_PROTECTION = 0xBEEFF00D
_CHUNK = 1 << 20
_END_OF_DIRECTORY = b"PK\x05\x06"
_V3_SINCE, _V3_UNTIL = 28, 0x7FFFFFFF


def sign_zip(archive: bytes, key: SigningKey) -> bytes:
    """Puts the signatures of a key into a zip.

    Args:
        archive: A zip without comment.
        key: The key.

    Returns:
        The signed package.
    """
    end = len(archive) - 22
    if archive[end : end + 4] != _END_OF_DIRECTORY:
        raise ValueError("a zip without comment ends with its directory's end")
    directory = struct.unpack_from("<I", archive, end + 16)[0]
    # The digest counts the directory as if it began where the block will.
    digest = _digest((archive[:directory], archive[directory:end], archive[end:]), key.digest)
    block = _block(((_V2, _v2(digest, key)), (_V3, _v3(digest, key))))
    moved = archive[end : end + 16] + struct.pack("<I", directory + len(block)) + archive[end + 20 :]
    return archive[:directory] + block + archive[directory:end] + moved


def _digest(sections: tuple[bytes, ...], name: str) -> bytes:
    """The digest of the digests of all chunks of 1 MB."""
    chunks = []
    for section in sections:
        view = memoryview(section)
        for at in range(0, len(view), _CHUNK):
            part = view[at : at + _CHUNK]
            found = hashlib.new(name, b"\xa5" + struct.pack("<I", len(part)))
            found.update(part)
            chunks.append(found.digest())
    return hashlib.new(name, b"\x5a" + struct.pack("<I", len(chunks)) + b"".join(chunks)).digest()


def _v2(digest: bytes, key: SigningKey) -> bytes:
    protection = _sized(struct.pack("<II", _STRIPPING_PROTECTION, 3))
    signed = _signed(digest, key) + _sized(protection)
    return _signer(_sized(signed), b"", signed, key)


def _v3(digest: bytes, key: SigningKey) -> bytes:
    range_of_use = struct.pack("<II", _V3_SINCE, _V3_UNTIL)
    signed = _signed(digest, key) + range_of_use + _sized(b"")
    return _signer(_sized(signed), range_of_use, signed, key)


def _signed(digest: bytes, key: SigningKey) -> bytes:
    digests = _sized(struct.pack("<I", key.algorithm) + _sized(digest))
    certificates = b"".join(_sized(certificate) for certificate in key.certificates)
    return _sized(digests) + _sized(certificates)


def _signer(signed_field: bytes, range_of_use: bytes, signed: bytes, key: SigningKey) -> bytes:
    signatures = _sized(struct.pack("<I", key.algorithm) + _sized(key.sign(signed)))
    signer = signed_field + range_of_use + _sized(signatures) + _sized(key.public_key)
    return _sized(_sized(signer))


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _block(pairs: tuple[tuple[int, bytes], ...]) -> bytes:
    content = b"".join(struct.pack("<QI", 4 + len(data), number) + data for number, data in pairs)
    size = struct.pack("<Q", len(content) + 8 + len(_MAGIC))
    return size + content + size + _MAGIC
