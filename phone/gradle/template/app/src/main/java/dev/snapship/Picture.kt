package dev.snapship

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A decoded picture as it was stored, before its EXIF orientation is applied. */
interface Picture : AutoCloseable {
    val width: Int
    val height: Int

    /** A part of it, row by row: alpha, red, green and blue in one Int, alpha straight. */
    fun read(left: Int, top: Int, width: Int, height: Int): IntArray
}

/** Makes a picture and its EXIF orientation, 1 to 8, from the bytes of a file. */
fun interface Decoder {
    fun decode(bytes: ByteArray): Upright
}

/** A picture as people see it: turned and mirrored as its EXIF orientation says, band by band, without a copy. */
class Upright(private val picture: Picture, private val orientation: Int) : AutoCloseable by picture {
    private val turned = orientation in 5..8
    private val mirrored = orientation in setOf(2, 3, 6, 7)
    private val fromTheEnd = orientation in setOf(3, 4, 7, 8)

    val width = if (turned) picture.height else picture.width
    val height = if (turned) picture.width else picture.height

    /** Writes the rows from [top] on to the start of [target]: four bytes a pixel, red, green, blue, alpha. */
    fun read(top: Int, rows: Int, target: ByteBuffer) {
        val first = if (fromTheEnd) height - top - rows else top
        val part =
            if (turned) picture.read(first, 0, rows, width) else picture.read(0, first, width, rows)
        target.clear()
        target.order(ByteOrder.BIG_ENDIAN)
        for (row in 0 until rows) {
            val across = if (fromTheEnd) rows - 1 - row else row
            for (column in 0 until width) {
                val along = if (mirrored) width - 1 - column else column
                val argb = part[if (turned) along * rows + across else across * width + along]
                target.putInt((argb shl 8) or (argb ushr 24))
            }
        }
    }
}
