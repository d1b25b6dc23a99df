package app.snapship.shell;

import android.app.Activity;
import android.content.ClipData;
import android.content.Context;
import android.content.Intent;
import android.content.res.AssetManager;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.view.View;
import android.webkit.*;
import android.widget.FrameLayout;
import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;

/** Drives the app's shell as Android would, and prints what it did; test_shell.py compares the lines. */
public class ShellRun {
    static MainActivity activity;
    static String answer = "";

    static void say(String what, Object value) {
        System.out.println(what + ": " + value);
    }

    static void request(String url) throws Exception {
        WebResourceResponse found = WebView.last.client.shouldInterceptRequest(WebView.last, () -> Uri.parse(url));
        say("GET " + url, found == null ? "the WebView's own" : found.status + " " + found.type + " " + found.encoding
                + " " + new String(found.data.readAllBytes(), "utf-8"));
    }

    static void choose(boolean capture, int mode, String... types) {
        answer = "waiting";
        ValueCallback<Uri[]> callback = (Uri[] uris) -> answer = uris == null ? "nothing" : Arrays.toString(uris);
        WebView.last.chrome.onShowFileChooser(
                WebView.last, callback, new WebChromeClient.FileChooserParams(capture, mode, types));
    }

    static String log() {
        String text = Activity.log.toString().replaceAll("photo-\\d+", "photo-N");
        Activity.log.clear();
        return text;
    }

    static String answered() {
        return answer.replaceAll("photo-\\d+", "photo-N");
    }

    static void permission(int code, int... results) {
        activity.onRequestPermissionsResult(code, new String[] {"android.permission.CAMERA"}, results);
    }

    static void camera(String origin, String... resources) {
        PermissionRequest request = new PermissionRequest(origin, resources);
        WebView.last.chrome.onPermissionRequest(request);
        say("camera for " + origin + " " + Arrays.toString(resources), request.answer + " " + log());
    }

    static void share(String message) {
        WebMessagePort own = WebView.last.createWebMessageChannel()[0];
        own.callback.onMessage(own, new WebMessage(message, null));
        say("share " + message, log());
    }

    public static void main(String[] args) throws Exception {
        AssetManager.folder = Path.of(args[0]);
        Context.cache = new File(args[1]);

        activity = new MainActivity();
        activity.onCreate(null);
        WebView web = WebView.last;
        say("loaded", web.loaded);
        say("settings", web.settings.set);
        FrameLayout frame = (FrameLayout) Activity.content;
        say("frame holds the WebView", frame.child == web);
        say("insets used up", frame.listener.onApplyWindowInsets(frame, new android.view.WindowInsets())
                == android.view.WindowInsets.CONSUMED);
        say("padding", frame.padding);
        log();

        request("https://app.snapship.invalid/");
        request("https://app.snapship.invalid/classify/worker.js?x=1#y");
        request("https://app.snapship.invalid/ui/main.mjs");
        request("https://app.snapship.invalid/core.wasm");
        request("https://app.snapship.invalid/ein%20Bild.jpg");
        request("https://app.snapship.invalid/manifest.webmanifest");
        request("https://app.snapship.invalid/LICENSE");
        request("https://app.snapship.invalid/missing.css");
        request("https://app.snapship.invalid/../secret.txt");
        request("https://example.com/index.html");
        request("http://app.snapship.invalid/index.html");
        request("https://app.snapship.invalid:444/index.html");
        request("https://app.snapship.invalid@example.com/index.html");
        request("file:///etc/passwd");
        request("content://x/y");
        request("data:text/plain,x");
        say("stays", !web.client.shouldOverrideUrlLoading(web, () -> Uri.parse("https://app.snapship.invalid/a")));
        say("leaves", !web.client.shouldOverrideUrlLoading(web, () -> Uri.parse("https://example.com/")));

        web.client.onPageFinished(web, web.loaded);
        say("port for", web.target + ", " + web.message.getData() + ", " + web.message.ports.length
                + ", not ours: " + !web.isOurs(web.message.ports[0]));

        choose(false, 0, "image/*");
        say("one picture", log());
        Intent data = new Intent("");
        data.data = Uri.parse("content://a/1");
        activity.onActivityResult(1, -1, data);
        say("chosen", answered());
        choose(false, 1, "image/jpeg", "image/png");
        say("several", log());
        data = new Intent("");
        data.setClipData(ClipData.newRawUri("", Uri.parse("content://a/1")).and(Uri.parse("content://a/2")));
        activity.onActivityResult(1, -1, data);
        say("chosen", answered());
        choose(false, 0, "");
        say("any file", log());
        activity.onActivityResult(1, 0, null);
        say("canceled", answered());
        choose(false, 0);
        String first = answered();
        ValueCallback<Uri[]> second = (Uri[] uris) -> {};
        web.chrome.onShowFileChooser(web, second, new WebChromeClient.FileChooserParams(false, 0));
        say("asked again", first + " then " + answered());
        log();
        activity.onActivityResult(1, 0, null);
        Activity.noApps = true;
        choose(false, 0, "image/*");
        say("no app", answered());
        Activity.noApps = false;
        activity.onActivityResult(77, -1, null);
        say("another's result", log());

        choose(true, 0, "image/*");
        say("capture asks", log());
        permission(3, -1);
        say("refused", answered());
        choose(true, 0, "image/*");
        log();
        permission(3);
        say("dismissed", answered());
        choose(true, 0, "image/*");
        log();
        permission(3, 0);
        say("allowed", log());
        say("flags", Activity.started.flags);
        activity.onActivityResult(1, -1, null);
        say("photo", answered());
        Activity.granted = true;
        choose(true, 0, "image/*");
        say("capture", log());
        activity.onActivityResult(1, -1, new Intent(""));
        say("photo", answered());

        camera("https://app.snapship.invalid/", "android.webkit.resource.VIDEO_CAPTURE");
        camera("https://app.snapship.invalid/", "android.webkit.resource.AUDIO_CAPTURE");
        camera("https://app.snapship.invalid/", "android.webkit.resource.AUDIO_CAPTURE",
                "android.webkit.resource.VIDEO_CAPTURE");
        camera("https://example.com/", "android.webkit.resource.VIDEO_CAPTURE");
        Activity.granted = false;
        for (int[] results : new int[][] {{0}, {-1}, {}}) {
            PermissionRequest asked =
                    new PermissionRequest("https://app.snapship.invalid/", "android.webkit.resource.VIDEO_CAPTURE");
            web.chrome.onPermissionRequest(asked);
            String before = asked.answer + " " + log();
            permission(2, results);
            say("camera asked " + Arrays.toString(results), before + " then " + asked.answer);
        }
        PermissionRequest gone =
                new PermissionRequest("https://app.snapship.invalid/", "android.webkit.resource.VIDEO_CAPTURE");
        web.chrome.onPermissionRequest(gone);
        web.chrome.onPermissionRequestCanceled(gone);
        permission(2, 0);
        say("camera canceled", gone.answer);
        log();

        share("{\"name\":\"report.json\",\"type\":\"application/json\",\"base64\":\"e30=\"}");
        Files files = new Files();
        Uri report = Uri.parse("content://app.snapship.test.files/report.json");
        say("content", java.nio.file.Files.readString(files.openFile(report, "r").file.toPath()));
        say("columns", files.query(report, null, null, null, null));
        say("type", files.getType(report));
        share("{\"text\":\"rose 0.98\"}");
        share("{\"name\":\"../../outside.csv\",\"type\":\"text/csv\",\"base64\":\"YQ==\"}");
        share("{\"base64\":\"e30=\"}");
        share("{\"name\":\"x\",\"base64\":\"***\"}");
        share("no JSON");
        say("outside", new File(Context.cache.getParentFile(), "outside.csv").exists());
        try {
            files.openFile(Uri.parse("content://app.snapship.test.files/..%2F..%2Fsecret"), "r");
        } catch (Exception error) {
            say("traversal", error.getClass().getSimpleName());
        }

        activity.onBackPressed();
        say("back", web.wentBack + " " + log());
        WebView.back = true;
        activity.onBackPressed();
        say("back", web.wentBack + " " + log());
        RenderProcessGoneDetail killed = new RenderProcessGoneDetail() { public boolean didCrash() { return false; } };
        RenderProcessGoneDetail crashed = new RenderProcessGoneDetail() { public boolean didCrash() { return true; } };
        say("killed", web.client.onRenderProcessGone(web, killed) + " " + log());
        say("crashed", web.client.onRenderProcessGone(web, crashed) + " " + log());
        activity.onSaveInstanceState(new Bundle());
        activity.onDestroy();
        say("destroyed", web.destroyed);

        int shared = new File(Context.cache, "shared").list().length;
        WebView.restores = true;
        Build.VERSION.SDK_INT = 34;
        activity = new MainActivity();
        activity.onCreate(new Bundle());
        say("restored", WebView.last.loaded + ", files kept: "
                + (new File(Context.cache, "shared").list().length == shared));
        say("Android 14 insets", ((FrameLayout) Activity.content).listener);
        WebView.restores = false;
        activity.onCreate(new Bundle());
        say("nothing to restore", WebView.last.loaded);
        activity.onCreate(null);
        say("files after a new start", new File(Context.cache, "shared").list().length);
    }
}
