package dev.snapship

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.media.ExifInterface
import java.io.ByteArrayInputStream

/**
 * Android's own decoder, asked for the stored values: no colour conversion, no premultiplied alpha, no scaling.
 *
 * Whether it gives the trainer's values is what stage "decode" of the replay tells, for this phone.
 */
class BitmapDecoder : Decoder {
    override fun decode(bytes: ByteArray): Upright {
        val options = BitmapFactory.Options().apply {
            inPreferredConfig = Bitmap.Config.ARGB_8888
            inPremultiplied = false
            inScaled = false
        }
        val plain = withoutProfiles(bytes)
        val bitmap = BitmapFactory.decodeByteArray(plain, 0, plain.size, options)
            ?: error("A photo must be an image that Android decodes. Received: ${bytes.size} bytes.")
        return Upright(BitmapPicture(bitmap), orientationOf(bytes))
    }

    private fun orientationOf(bytes: ByteArray): Int = try {
        val found = ExifInterface(ByteArrayInputStream(bytes))
            .getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
        if (found in 1..8) found else 1
    } catch (error: Exception) {
        // Formats without EXIF, or damaged EXIF: as stored.
        1
    }
}

private class BitmapPicture(private val bitmap: Bitmap) : Picture {
    override val width = bitmap.width
    override val height = bitmap.height

    override fun read(left: Int, top: Int, width: Int, height: Int): IntArray {
        val part = IntArray(width * height)
        bitmap.getPixels(part, 0, width, left, top, width, height)
        return part
    }

    override fun close() = bitmap.recycle()
}
