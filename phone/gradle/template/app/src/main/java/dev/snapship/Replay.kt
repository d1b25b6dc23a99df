package dev.snapship

import kotlin.math.abs

/**
 * One golden example on this phone.
 *
 * @property failed The first stage that differs, null when all agree.
 * @property maxAbsDp Largest difference of a score; null when none were made.
 */
class Replayed(val file: String, val failed: String?, val maxAbsDp: Double?, val tolerance: Double, val detail: String)

/**
 * Replays the golden examples, stage by stage, as the computer did when the bundle was made:
 *
 *     file    the encoded bytes       exact
 *     decode  the upright image       exact
 *     pixels  the model's input       exact
 *     scores  the model's output      within the artifact's tolerance
 */
fun replay(classifier: Classifier, progress: (Int, Int) -> Unit = { _, _ -> }): List<Replayed> {
    val golden = classifier.bundle.golden()
    return golden.examples.mapIndexed { at, example ->
        replayOne(classifier, example, golden.tolerance).also { progress(at + 1, golden.examples.size) }
    }
}

private fun replayOne(classifier: Classifier, example: GoldenExample, tolerance: Double): Replayed {
    val bundle = classifier.bundle
    fun found(failed: String?, detail: String = "", dp: Double? = null) =
        Replayed(example.file, failed, dp, tolerance, detail)

    val bytes = try {
        bundle.verified(example.file, example.sha256)
    } catch (error: Exception) {
        return found("file", error.message ?: error.toString())
    }
    val pixels = try {
        classifier.decoder.decode(bytes).use { pixelsOf(it, bundle.input, hashed = true) }
    } catch (error: Exception) {
        return found("decode", error.message ?: error.toString())
    }
    var failed: String? = null
    var detail = ""
    if (pixels.decodedSha256 != example.decodedSha256) {
        failed = "decode"
        detail = "this phone's decoder gives other values"
    } else if (sha256(pixels.values) != example.pixelsSha256) {
        failed = "pixels"
        detail = "this phone resizes to other values"
    }
    val scores = classifier.engine.run(pixels.values)
    if (scores.size != example.scores.size) {
        return found("scores", "the model gives ${scores.size} scores, expected ${example.scores.size}")
    }
    val dp = scores.indices.map { abs(scores[it] - example.scores[it]).toDouble() }
    // A NaN is a finding, too.
    val most = if (dp.any { it.isNaN() }) null else dp.max()
    if (failed == null && (most == null || most > tolerance)) {
        failed = "scores"
        detail = "a score differs by ${most ?: "NaN"}, allowed $tolerance"
    }
    return found(failed, detail, most)
}
