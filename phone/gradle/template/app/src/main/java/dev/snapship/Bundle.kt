package dev.snapship

import java.security.MessageDigest
import org.json.JSONObject

/** Size, channels, fit and resize of the model's input. */
class InputSpec(val width: Int, val height: Int, val channels: Int, val crop: Boolean, val plain: Boolean)

/** One golden example: an image, the hashes of its stages, and the scores of this artifact. */
class GoldenExample(
    val file: String, val sha256: String, val decodedSha256: String, val pixelsSha256: String, val scores: FloatArray,
)

/**
 * The bundle in the app's assets.
 *
 * @param read Content of a file of the bundle.
 */
class Bundle(private val read: (String) -> ByteArray) {
    private val manifest = JSONObject(read("manifest.json").decodeToString())
    private val artifact = manifest.getJSONArray("artifacts").getJSONObject(0)
    private val goldenFile = manifest.getJSONObject("golden")

    val name: String = manifest.getString("name")
    val labels: List<String> = manifest.getJSONArray("labels").let { list -> List(list.length()) { list.getString(it) } }
    val kind: String = artifact.getString("kind")
    val modelSha256: String = artifact.getString("sha256")
    val goldenSha256: String = goldenFile.getString("sha256")
    val takesFloats: Boolean = artifact.getJSONObject("input").getString("dtype") == "float32"
    val input: InputSpec = manifest.getJSONObject("input").let {
        InputSpec(
            it.getInt("width"), it.getInt("height"), it.optInt("channels", 3),
            it.optString("fit", "stretch") == "crop", it.optString("resize", "antialiased") == "plain",
        )
    }

    /** The model file, verified. */
    fun model(): ByteArray = verified(artifact.getString("file"), modelSha256)

    /** The golden examples, verified; their images are read and verified one by one. */
    fun golden(): Golden {
        val golden = JSONObject(verified(goldenFile.getString("file"), goldenSha256).decodeToString())
        val examples = golden.getJSONArray("examples")
        return Golden(
            golden.getJSONObject("tolerance").getDouble(kind),
            List(examples.length()) {
                val example = examples.getJSONObject(it)
                val scores = example.getJSONObject("scores").getJSONArray(kind)
                GoldenExample(
                    example.getString("file"), example.getString("sha256"),
                    example.getString("decoded_sha256"), example.getString("pixels_sha256"),
                    FloatArray(scores.length()) { at -> scores.getDouble(at).toFloat() },
                )
            },
        )
    }

    /** The bytes of a file, which must have this hash. */
    fun verified(file: String, sha256: String): ByteArray {
        val bytes = read(file)
        check(sha256(bytes) == sha256) { "A file of the bundle must be as it was shipped. Received: $file, changed." }
        return bytes
    }
}

/** All golden examples, and the largest difference of a score that is allowed. */
class Golden(val tolerance: Double, val examples: List<GoldenExample>)

/** The hash of some bytes in hex digits. */
fun sha256(bytes: ByteArray): String = MessageDigest.getInstance("SHA-256").digest(bytes).hex()
