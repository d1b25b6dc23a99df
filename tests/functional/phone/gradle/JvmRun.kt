package dev.snapship

import android.media.ExifInterface
import java.io.File
import org.json.JSONArray
import org.json.JSONObject
import org.tensorflow.lite.Interpreter

/** Runs the template's classes on a JVM, with the real core: `pixels JOBS` or `replay BUNDLE SCORES`. */
fun main(args: Array<String>) {
    val json = JSONObject(File(args[1]).readText())
    println(if (args[0] == "pixels") pixels(json.getJSONArray("jobs")) else replay(json))
}

/** Hashes of the upright picture and of the model's input, for each job. */
private fun pixels(jobs: JSONArray): JSONArray {
    val found = (0 until jobs.length()).map { at ->
        val job = jobs.getJSONObject(at)
        ExifInterface.orientation = job.getInt("orientation")
        val input = InputSpec(
            job.getInt("width"), job.getInt("height"), job.getInt("channels"), job.getBoolean("crop"),
            job.getBoolean("plain"),
        )
        val bytes = File(job.getString("file")).readBytes()
        val made = BitmapDecoder().decode(bytes).use { pixelsOf(it, input, hashed = true) }
        JSONArray(listOf(made.decodedSha256, sha256(made.values)))
    }
    return JSONArray(found)
}

private fun replay(job: JSONObject): JSONObject {
    val scores = job.getJSONObject("scores")
    for (hash in scores.keys()) {
        val list = scores.getJSONArray(hash)
        Interpreter.scores[hash] = FloatArray(list.length()) { list.getDouble(it).toFloat() }
    }
    val shape = job.getJSONArray("shape")
    Interpreter.shape = IntArray(shape.length()) { shape.getInt(it) }
    val bundle = Bundle { File(job.getString("bundle"), it).readBytes() }
    val classifier = Classifier(bundle, BitmapDecoder(), LiteRtEngine(bundle, "1.4.2"))
    val about = About("0".repeat(64), "Android 15; maker model", "arm64-v8a", 360 to 780, 7.5, 8)
    val replayed = replay(classifier)
    val first = bundle.golden().examples.first()
    val answer = classifier.classify(bundle.verified(first.file, first.sha256), 3)
    return JSONObject()
        .put("report", report(classifier, about, replayed, 12, 34))
        .put("answer", JSONArray(answer.map { it.label }))
        .put("profiles", JSONArray(job.getJSONArray("profiles").let { files ->
            List(files.length()) { sha256(withoutProfiles(File(files.getString(it)).readBytes())) }
        }))
}
