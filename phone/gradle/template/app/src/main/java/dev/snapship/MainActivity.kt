package dev.snapship

import android.app.ActivityManager
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.os.Bundle as State
import android.os.SystemClock
import android.widget.Button
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts
import androidx.core.content.FileProvider
import java.io.File
import java.util.concurrent.Executors
import org.json.JSONObject

/** A plain screen: choose or take a photo, read the answer, test the phone, share the report. */
class MainActivity : ComponentActivity() {
    // One thread: the model and the decoder are used by one photo at a time.
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var output: TextView
    private lateinit var shareButton: Button
    private var classifier: Classifier? = null
    private var loadMs = 0L
    private var photo: Uri? = null
    private var lastReport: JSONObject? = null

    private val pick = registerForActivityResult(ActivityResultContracts.PickVisualMedia()) { it?.let(::classify) }
    private val take = registerForActivityResult(ActivityResultContracts.TakePicture()) { taken ->
        if (taken) photo?.let(::classify)
    }

    override fun onCreate(savedInstanceState: State?) {
        super.onCreate(savedInstanceState)
        photo = savedInstanceState?.getString(PHOTO)?.let(Uri::parse)
        output = TextView(this).apply {
            textSize = 18f
            setTextIsSelectable(true)
        }
        shareButton = button(R.string.share) { share() }.apply { isEnabled = false }
        val column = LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            addView(button(R.string.pick) { pick.launch(images()) })
            addView(button(R.string.camera) { take.launch(newPhoto()) })
            addView(button(R.string.replay) { test() })
            addView(shareButton)
            addView(output)
        }
        setContentView(
            ScrollView(this).apply {
                // Android 15 draws apps under its bars.
                fitsSystemWindows = true
                addView(column)
            },
        )
    }

    override fun onSaveInstanceState(outState: State) {
        super.onSaveInstanceState(outState)
        // The camera app may push this one out of memory; the answer comes to a new activity.
        outState.putString(PHOTO, photo?.toString())
    }

    override fun onDestroy() {
        worker.execute { classifier?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    private fun classify(uri: Uri) = work {
        val bytes = checkNotNull(contentResolver.openInputStream(uri)).use { it.readBytes() }
        opened().classify(bytes).joinToString("\n") { "%.1f %%  %s".format(100 * it.score, it.label) }
    }

    private fun test() = work {
        val classifier = opened()
        val start = SystemClock.elapsedRealtime()
        val replayed = replay(classifier) { done, total -> runOnUiThread { output.text = "$done / $total" } }
        lastReport = report(classifier, about(), replayed, loadMs, SystemClock.elapsedRealtime() - start)
        runOnUiThread { shareButton.isEnabled = true }
        val first = replayed.firstOrNull { it.failed != null }
        if (first == null) getString(R.string.same) else getString(R.string.differs, first.file, first.failed, first.detail)
    }

    /** Runs something on the worker, and shows the text that it gives. */
    private fun work(task: () -> String) {
        output.setText(R.string.working)
        worker.execute {
            val text = try {
                task()
            } catch (error: Exception) {
                getString(R.string.failed, error.message ?: error.toString())
            }
            runOnUiThread { output.text = text }
        }
    }

    private fun opened(): Classifier = classifier ?: run {
        val start = SystemClock.elapsedRealtime()
        val bundle = Bundle { file -> assets.open("bundle/$file").use { it.readBytes() } }
        val engine = LiteRtEngine(bundle, BuildConfig.LITERT_VERSION)
        loadMs = SystemClock.elapsedRealtime() - start
        Classifier(bundle, BitmapDecoder(), engine).also { classifier = it }
    }

    private fun about(): About {
        val memory = ActivityManager.MemoryInfo()
        getSystemService(ActivityManager::class.java).getMemoryInfo(memory)
        val metrics = resources.displayMetrics
        val app = JSONObject(assets.open("app.json").use { it.readBytes() }.decodeToString())
        return About(
            appVersion = app.getString("version"),
            userAgent = "Android ${Build.VERSION.RELEASE}; ${Build.MANUFACTURER} ${Build.MODEL}",
            platform = Build.SUPPORTED_ABIS.first(),
            screen = (metrics.widthPixels / metrics.density).toInt() to (metrics.heightPixels / metrics.density).toInt(),
            memoryGb = Math.round(memory.totalMem / 1e8) / 10.0,
            cores = Runtime.getRuntime().availableProcessors(),
        )
    }

    private fun share() {
        val report = lastReport ?: return
        val file = shared("phone-report.json").apply { writeText(report.toString(2)) }
        val uri = FileProvider.getUriForFile(this, "$packageName.files", file)
        val send = Intent(Intent.ACTION_SEND).apply {
            type = "application/json"
            putExtra(Intent.EXTRA_STREAM, uri)
            clipData = ClipData.newRawUri(file.name, uri)
            addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        }
        startActivity(Intent.createChooser(send, null))
    }

    private fun newPhoto(): Uri =
        FileProvider.getUriForFile(this, "$packageName.files", shared("photo.jpg")).also { photo = it }

    private fun shared(name: String): File = File(cacheDir, "shared").apply { mkdirs() }.resolve(name)

    private fun images() = PickVisualMediaRequest(ActivityResultContracts.PickVisualMedia.ImageOnly)

    private fun button(text: Int, action: () -> Unit) = Button(this).apply {
        setText(text)
        setOnClickListener { action() }
    }

    private companion object {
        const val PHOTO = "photo"
    }
}
