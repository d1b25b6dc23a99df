package dev.snapship

import java.io.ByteArrayOutputStream

private val PNG_HEADER = byteArrayOf(0x89.toByte(), 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
private val PNG_COLOUR = setOf("iCCP", "gAMA", "cHRM", "sRGB", "cICP")
private const val START_OF_SCAN = 0xda
private const val APP2 = 0xe2

/**
 * The same file without colour profiles, if it is a JPEG or a PNG: the trainer read the stored values, and a
 * decoder that knows the profile would convert them.
 */
fun withoutProfiles(bytes: ByteArray): ByteArray = when {
    bytes.size > 4 && bytes[0] == 0xff.toByte() && bytes[1] == 0xd8.toByte() -> jpeg(bytes)
    bytes.size > 8 && bytes.copyOf(8).contentEquals(PNG_HEADER) -> png(bytes)
    else -> bytes
}

private fun jpeg(bytes: ByteArray): ByteArray {
    val out = ByteArrayOutputStream(bytes.size)
    out.write(bytes, 0, 2)
    var at = 2
    // Segments up to the first scan: a marker, the length of what follows with its own two bytes, content.
    while (at + 4 <= bytes.size && bytes[at] == 0xff.toByte()) {
        val marker = bytes.at(at + 1)
        val length = bytes.at(at + 2) * 256 + bytes.at(at + 3)
        if (marker == START_OF_SCAN || length < 2 || at + 2 + length > bytes.size) break
        if (!(marker == APP2 && bytes.textAt(at + 4, 11) == "ICC_PROFILE")) out.write(bytes, at, 2 + length)
        at += 2 + length
    }
    out.write(bytes, at, bytes.size - at)
    return out.toByteArray()
}

private fun png(bytes: ByteArray): ByteArray {
    val out = ByteArrayOutputStream(bytes.size)
    out.write(bytes, 0, 8)
    var at = 8
    // Chunks: length, name, content, checksum.
    while (at + 12 <= bytes.size) {
        val length = (0..3).fold(0L) { sum, byte -> sum * 256 + bytes.at(at + byte) }
        if (length + 12 > bytes.size - at) break
        val whole = length.toInt() + 12
        if (bytes.textAt(at + 4, 4) !in PNG_COLOUR) out.write(bytes, at, whole)
        at += whole
    }
    out.write(bytes, at, bytes.size - at)
    return out.toByteArray()
}

private fun ByteArray.at(index: Int): Int = this[index].toInt() and 0xff

private fun ByteArray.textAt(index: Int, count: Int): String =
    if (index + count > size) "" else String(this, index, count, Charsets.ISO_8859_1)
