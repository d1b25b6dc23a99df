package dev.snapship

import java.nio.ByteBuffer
import java.security.MessageDigest
import kotlin.math.max
import kotlin.math.min

/** Pixels of a photo that are in memory at a time, beside the decoded picture. */
private const val BAND_PIXELS = 500_000

/** The model's input, and the hash of the upright picture that it was made from, if asked for. */
class Pixels(val values: ByteArray, val decodedSha256: String?)

/** Resizes a picture to the model's input as the trainer did. */
fun pixelsOf(picture: Upright, input: InputSpec, hashed: Boolean = false): Pixels {
    val (width, height) = picture.width to picture.height
    val box = if (input.plain) keptPart(width, height, input) else box(width, height, input)
    val resizer = Core.open(
        width, height, box[0], box[1], box[2], box[3], input.width, input.height, input.channels, input.plain,
    )
    check(resizer != 0L) { "The picture must fit into memory. Received: $width x $height pixels." }
    try {
        val rows = max(1, min(height, BAND_PIXELS / width))
        val rgba = ByteBuffer.allocateDirect(4 * rows * width)
        val gray = if (input.channels == 1) ByteBuffer.allocateDirect(rows * width) else null
        val digest = if (hashed) MessageDigest.getInstance("SHA-256") else null
        for (top in 0 until height step rows) {
            val some = min(rows, height - top)
            picture.read(top, some, rgba)
            if (digest != null || gray != null) {
                val packed = checkNotNull(Core.pixels(rgba, some * width, input.channels))
                digest?.update(packed)
                gray?.clear()
                gray?.put(packed)
            }
            if (gray == null) Core.opaque(rgba, some * width)
            check(Core.push(resizer, gray ?: rgba, some) >= 0) { "The core refused rows $top to ${top + some}." }
        }
        return Pixels(checkNotNull(Core.result(resizer)), digest?.digest()?.hex())
    } finally {
        Core.close(resizer)
    }
}

/** Left, top, right and bottom of what the antialiased resize takes; in double precision, then rounded once. */
fun box(width: Int, height: Int, input: InputSpec): FloatArray {
    if (!input.crop) return floatArrayOf(0f, 0f, width.toFloat(), height.toFloat())
    val across = min(width.toDouble(), height.toDouble() * input.width / input.height)
    val down = min(height.toDouble(), width.toDouble() * input.height / input.width)
    val (left, top) = (width - across) / 2 to (height - down) / 2
    return floatArrayOf(left.toFloat(), top.toFloat(), (left + across).toFloat(), (top + down).toFloat())
}

/** The same in whole pixels, for the plain resize. */
fun keptPart(width: Int, height: Int, input: InputSpec): FloatArray {
    if (!input.crop) return floatArrayOf(0f, 0f, width.toFloat(), height.toFloat())
    val across = max(1, min(width.toLong(), height.toLong() * input.width / input.height).toInt())
    val down = max(1, min(height.toLong(), width.toLong() * input.height / input.width).toInt())
    val (left, top) = (width - across) / 2 to (height - down) / 2
    return floatArrayOf(left.toFloat(), top.toFloat(), (left + across).toFloat(), (top + down).toFloat())
}

/** Bytes as lower-case hex digits. */
fun ByteArray.hex(): String = joinToString("") { "%02x".format(it) }
