# The app: one WebView that shows assets/www as https://app.snapship.invalid/, a secure origin.
# What Android asks or answers about files, the camera and sharing is here; the page does the rest.

.class public Lapp/snapship/shell/MainActivity;
.super Landroid/app/Activity;
.source "MainActivity.smali"

# Codes of what was started and is answered later.
.field private static final CHOOSE:I = 0x1
.field private static final CAMERA_FOR_PAGE:I = 0x2
.field private static final CAMERA_FOR_PHOTO:I = 0x3

.field private web:Landroid/webkit/WebView;
# The page's end of it belongs to the page; without this reference, ours could be collected.
.field private port:Landroid/webkit/WebMessagePort;
# Who waits: for chosen files, for the photo that the camera app writes, for the camera.
.field private chosen:Landroid/webkit/ValueCallback;
.field private photo:Landroid/net/Uri;
.field private asked:Landroid/webkit/PermissionRequest;

.method public constructor <init>()V
    .registers 1
    invoke-direct {p0}, Landroid/app/Activity;-><init>()V
    return-void
.end method

.method protected onCreate(Landroid/os/Bundle;)V
    .registers 7
    invoke-super {p0, p1}, Landroid/app/Activity;->onCreate(Landroid/os/Bundle;)V
    if-nez p1, :files_kept
    # What was shared or photographed last time is read by nobody any more.
    invoke-static {p0}, Lapp/snapship/shell/Files;->clear(Landroid/content/Context;)V
    :files_kept
    new-instance v0, Landroid/webkit/WebView;
    invoke-direct {v0, p0}, Landroid/webkit/WebView;-><init>(Landroid/content/Context;)V
    iput-object v0, p0, Lapp/snapship/shell/MainActivity;->web:Landroid/webkit/WebView;

    invoke-virtual {v0}, Landroid/webkit/WebView;->getSettings()Landroid/webkit/WebSettings;
    move-result-object v1
    const/4 v2, 0x1
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setJavaScriptEnabled(Z)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setDomStorageEnabled(Z)V
    const/4 v2, 0x0
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setAllowFileAccess(Z)V
    # The camera's picture plays by itself.
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setMediaPlaybackRequiresUserGesture(Z)V

    new-instance v1, Lapp/snapship/shell/Client;
    invoke-direct {v1, p0}, Lapp/snapship/shell/Client;-><init>(Lapp/snapship/shell/MainActivity;)V
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->setWebViewClient(Landroid/webkit/WebViewClient;)V
    new-instance v1, Lapp/snapship/shell/Chrome;
    invoke-direct {v1, p0}, Lapp/snapship/shell/Chrome;-><init>(Lapp/snapship/shell/MainActivity;)V
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->setWebChromeClient(Landroid/webkit/WebChromeClient;)V

    # A WebView ignores its own padding, so the bars' room is taken from a frame around it.
    new-instance v1, Landroid/widget/FrameLayout;
    invoke-direct {v1, p0}, Landroid/widget/FrameLayout;-><init>(Landroid/content/Context;)V
    invoke-virtual {v1, v0}, Landroid/widget/FrameLayout;->addView(Landroid/view/View;)V
    sget v2, Landroid/os/Build$VERSION;->SDK_INT:I
    const/16 v3, 0x23
    if-lt v2, v3, :placed
    # From Android 15 on the content lies under the system's bars; before, the system keeps them apart.
    new-instance v2, Lapp/snapship/shell/Bars;
    invoke-direct {v2}, Lapp/snapship/shell/Bars;-><init>()V
    invoke-virtual {v1, v2}, Landroid/widget/FrameLayout;->setOnApplyWindowInsetsListener(Landroid/view/View$OnApplyWindowInsetsListener;)V
    :placed
    invoke-virtual {p0, v1}, Lapp/snapship/shell/MainActivity;->setContentView(Landroid/view/View;)V

    if-eqz p1, :load
    invoke-virtual {v0, p1}, Landroid/webkit/WebView;->restoreState(Landroid/os/Bundle;)Landroid/webkit/WebBackForwardList;
    move-result-object v1
    if-eqz v1, :load
    return-void
    :load
    const-string v1, "https://app.snapship.invalid/"
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->loadUrl(Ljava/lang/String;)V
    return-void
.end method

.method protected onSaveInstanceState(Landroid/os/Bundle;)V
    .registers 3
    invoke-super {p0, p1}, Landroid/app/Activity;->onSaveInstanceState(Landroid/os/Bundle;)V
    iget-object v0, p0, Lapp/snapship/shell/MainActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0, p1}, Landroid/webkit/WebView;->saveState(Landroid/os/Bundle;)Landroid/webkit/WebBackForwardList;
    return-void
.end method

.method protected onDestroy()V
    .registers 2
    iget-object v0, p0, Lapp/snapship/shell/MainActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->destroy()V
    invoke-super {p0}, Landroid/app/Activity;->onDestroy()V
    return-void
.end method

.method public onBackPressed()V
    .registers 3
    iget-object v0, p0, Lapp/snapship/shell/MainActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->canGoBack()Z
    move-result v1
    if-eqz v1, :leave
    invoke-virtual {v0}, Landroid/webkit/WebView;->goBack()V
    return-void
    :leave
    invoke-super {p0}, Landroid/app/Activity;->onBackPressed()V
    return-void
.end method

# A page was loaded: gives it one end of a message channel. Only our own origin receives it.
.method connect()V
    .registers 6
    iget-object v0, p0, Lapp/snapship/shell/MainActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->createWebMessageChannel()[Landroid/webkit/WebMessagePort;
    move-result-object v1
    const/4 v2, 0x0
    aget-object v2, v1, v2
    iput-object v2, p0, Lapp/snapship/shell/MainActivity;->port:Landroid/webkit/WebMessagePort;
    new-instance v3, Lapp/snapship/shell/Sharing;
    invoke-direct {v3, p0}, Lapp/snapship/shell/Sharing;-><init>(Landroid/app/Activity;)V
    invoke-virtual {v2, v3}, Landroid/webkit/WebMessagePort;->setWebMessageCallback(Landroid/webkit/WebMessagePort$WebMessageCallback;)V

    const/4 v2, 0x1
    new-array v3, v2, [Landroid/webkit/WebMessagePort;
    aget-object v1, v1, v2
    const/4 v2, 0x0
    aput-object v1, v3, v2
    new-instance v1, Landroid/webkit/WebMessage;
    const-string v2, "snapship-android"
    invoke-direct {v1, v2, v3}, Landroid/webkit/WebMessage;-><init>(Ljava/lang/String;[Landroid/webkit/WebMessagePort;)V
    const-string v2, "https://app.snapship.invalid"
    invoke-static {v2}, Landroid/net/Uri;->parse(Ljava/lang/String;)Landroid/net/Uri;
    move-result-object v2
    invoke-virtual {v0, v1, v2}, Landroid/webkit/WebView;->postWebMessage(Landroid/webkit/WebMessage;Landroid/net/Uri;)V
    return-void
.end method

.method private mayUseCamera()Z
    .registers 2
    const-string v0, "android.permission.CAMERA"
    invoke-virtual {p0, v0}, Lapp/snapship/shell/MainActivity;->checkSelfPermission(Ljava/lang/String;)I
    move-result v0
    if-nez v0, :no
    const/4 v0, 0x1
    return v0
    :no
    const/4 v0, 0x0
    return v0
.end method

.method private askForCamera(I)V
    .registers 5
    const/4 v0, 0x1
    new-array v0, v0, [Ljava/lang/String;
    const/4 v1, 0x0
    const-string v2, "android.permission.CAMERA"
    aput-object v2, v0, v1
    invoke-virtual {p0, v0, p1}, Lapp/snapship/shell/MainActivity;->requestPermissions([Ljava/lang/String;I)V
    return-void
.end method

# getUserMedia: the camera, and nothing else.
.method camera(Landroid/webkit/PermissionRequest;)V
    .registers 6
    invoke-virtual {p1}, Landroid/webkit/PermissionRequest;->getOrigin()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Lapp/snapship/shell/Client;->isOwn(Landroid/net/Uri;)Z
    move-result v0
    if-eqz v0, :deny
    invoke-virtual {p1}, Landroid/webkit/PermissionRequest;->getResources()[Ljava/lang/String;
    move-result-object v0
    invoke-static {v0}, Ljava/util/Arrays;->asList([Ljava/lang/Object;)Ljava/util/List;
    move-result-object v0
    const-string v1, "android.webkit.resource.VIDEO_CAPTURE"
    invoke-interface {v0, v1}, Ljava/util/List;->contains(Ljava/lang/Object;)Z
    move-result v0
    if-eqz v0, :deny
    invoke-direct {p0}, Lapp/snapship/shell/MainActivity;->mayUseCamera()Z
    move-result v0
    if-eqz v0, :ask
    invoke-static {p1}, Lapp/snapship/shell/MainActivity;->grant(Landroid/webkit/PermissionRequest;)V
    return-void
    :ask
    iput-object p1, p0, Lapp/snapship/shell/MainActivity;->asked:Landroid/webkit/PermissionRequest;
    const/4 v0, 0x2
    invoke-direct {p0, v0}, Lapp/snapship/shell/MainActivity;->askForCamera(I)V
    return-void
    :deny
    invoke-virtual {p1}, Landroid/webkit/PermissionRequest;->deny()V
    return-void
.end method

.method private static grant(Landroid/webkit/PermissionRequest;)V
    .registers 4
    const/4 v0, 0x1
    new-array v0, v0, [Ljava/lang/String;
    const/4 v1, 0x0
    const-string v2, "android.webkit.resource.VIDEO_CAPTURE"
    aput-object v2, v0, v1
    invoke-virtual {p0, v0}, Landroid/webkit/PermissionRequest;->grant([Ljava/lang/String;)V
    return-void
.end method

# The page no longer waits for the camera.
.method cameraCanceled()V
    .registers 2
    const/4 v0, 0x0
    iput-object v0, p0, Lapp/snapship/shell/MainActivity;->asked:Landroid/webkit/PermissionRequest;
    return-void
.end method

.method public onRequestPermissionsResult(I[Ljava/lang/String;[I)V
    .registers 8
    # No result at all: the question was dismissed.
    const/4 v0, 0x0
    array-length v1, p3
    if-eqz v1, :known
    aget v1, p3, v0
    if-nez v1, :known
    const/4 v0, 0x1
    :known
    const/4 v1, 0x3
    if-ne p1, v1, :for_page
    if-eqz v0, :no_photo
    invoke-direct {p0}, Lapp/snapship/shell/MainActivity;->takePhoto()V
    return-void
    :no_photo
    const/4 v1, 0x0
    invoke-direct {p0, v1}, Lapp/snapship/shell/MainActivity;->answer([Landroid/net/Uri;)V
    return-void
    :for_page
    iget-object v1, p0, Lapp/snapship/shell/MainActivity;->asked:Landroid/webkit/PermissionRequest;
    if-eqz v1, :done
    const/4 v2, 0x0
    iput-object v2, p0, Lapp/snapship/shell/MainActivity;->asked:Landroid/webkit/PermissionRequest;
    if-eqz v0, :denied
    invoke-static {v1}, Lapp/snapship/shell/MainActivity;->grant(Landroid/webkit/PermissionRequest;)V
    return-void
    :denied
    invoke-virtual {v1}, Landroid/webkit/PermissionRequest;->deny()V
    :done
    return-void
.end method

# <input type=file>: one or several pictures; with `capture`, the camera app at once.
.method choose(Landroid/webkit/ValueCallback;Landroid/webkit/WebChromeClient$FileChooserParams;)V
    .registers 8
    const/4 v4, 0x0
    # The page waits for one answer at a time; an older question gets an empty one.
    invoke-direct {p0, v4}, Lapp/snapship/shell/MainActivity;->answer([Landroid/net/Uri;)V
    iput-object p1, p0, Lapp/snapship/shell/MainActivity;->chosen:Landroid/webkit/ValueCallback;

    invoke-virtual {p2}, Landroid/webkit/WebChromeClient$FileChooserParams;->isCaptureEnabled()Z
    move-result v0
    if-eqz v0, :pick
    invoke-direct {p0}, Lapp/snapship/shell/MainActivity;->mayUseCamera()Z
    move-result v0
    if-eqz v0, :ask
    invoke-direct {p0}, Lapp/snapship/shell/MainActivity;->takePhoto()V
    return-void
    :ask
    const/4 v0, 0x3
    invoke-direct {p0, v0}, Lapp/snapship/shell/MainActivity;->askForCamera(I)V
    return-void

    :pick
    new-instance v0, Landroid/content/Intent;
    const-string v1, "android.intent.action.GET_CONTENT"
    invoke-direct {v0, v1}, Landroid/content/Intent;-><init>(Ljava/lang/String;)V
    const-string v1, "android.intent.category.OPENABLE"
    invoke-virtual {v0, v1}, Landroid/content/Intent;->addCategory(Ljava/lang/String;)Landroid/content/Intent;
    invoke-static {p2}, Lapp/snapship/shell/MainActivity;->wanted(Landroid/webkit/WebChromeClient$FileChooserParams;)Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Landroid/content/Intent;->setType(Ljava/lang/String;)Landroid/content/Intent;
    invoke-virtual {p2}, Landroid/webkit/WebChromeClient$FileChooserParams;->getMode()I
    move-result v1
    # MODE_OPEN_MULTIPLE
    const/4 v2, 0x1
    if-ne v1, v2, :one
    const-string v1, "android.intent.extra.ALLOW_MULTIPLE"
    invoke-virtual {v0, v1, v2}, Landroid/content/Intent;->putExtra(Ljava/lang/String;Z)Landroid/content/Intent;
    :one
    invoke-direct {p0, v0}, Lapp/snapship/shell/MainActivity;->start(Landroid/content/Intent;)V
    return-void
.end method

# The MIME type to choose from: pictures if the page names pictures first, else any file.
.method private static wanted(Landroid/webkit/WebChromeClient$FileChooserParams;)Ljava/lang/String;
    .registers 4
    invoke-virtual {p0}, Landroid/webkit/WebChromeClient$FileChooserParams;->getAcceptTypes()[Ljava/lang/String;
    move-result-object v0
    array-length v1, v0
    if-eqz v1, :any
    const/4 v1, 0x0
    aget-object v0, v0, v1
    const-string v1, "image/"
    invoke-virtual {v0, v1}, Ljava/lang/String;->startsWith(Ljava/lang/String;)Z
    move-result v0
    if-eqz v0, :any
    const-string v0, "image/*"
    return-object v0
    :any
    const-string v0, "*/*"
    return-object v0
.end method

# The camera app writes the photo to a file of ours; without that, only a thumbnail would come back.
.method private takePhoto()V
    .registers 5
    invoke-static {p0}, Lapp/snapship/shell/Files;->photo(Landroid/content/Context;)Landroid/net/Uri;
    move-result-object v0
    iput-object v0, p0, Lapp/snapship/shell/MainActivity;->photo:Landroid/net/Uri;
    new-instance v1, Landroid/content/Intent;
    const-string v2, "android.media.action.IMAGE_CAPTURE"
    invoke-direct {v1, v2}, Landroid/content/Intent;-><init>(Ljava/lang/String;)V
    const-string v2, "output"
    invoke-virtual {v1, v2, v0}, Landroid/content/Intent;->putExtra(Ljava/lang/String;Landroid/os/Parcelable;)Landroid/content/Intent;
    # Read and write, for this file alone.
    const/4 v2, 0x3
    invoke-virtual {v1, v2}, Landroid/content/Intent;->addFlags(I)Landroid/content/Intent;
    invoke-direct {p0, v1}, Lapp/snapship/shell/MainActivity;->start(Landroid/content/Intent;)V
    return-void
.end method

.method private start(Landroid/content/Intent;)V
    .registers 4
    :try_start
    const/4 v0, 0x1
    invoke-virtual {p0, p1, v0}, Lapp/snapship/shell/MainActivity;->startActivityForResult(Landroid/content/Intent;I)V
    :try_end
    .catch Ljava/lang/RuntimeException; {:try_start .. :try_end} :missing
    return-void
    # No such app, or one that refuses: the page hears that nothing was chosen.
    :missing
    move-exception v0
    const/4 v1, 0x0
    invoke-direct {p0, v1}, Lapp/snapship/shell/MainActivity;->answer([Landroid/net/Uri;)V
    return-void
.end method

.method protected onActivityResult(IILandroid/content/Intent;)V
    .registers 10
    const/4 v0, 0x0
    const/4 v1, 0x1
    if-ne p1, v1, :other
    # RESULT_OK is -1.
    const/4 v2, -0x1
    if-ne p2, v2, :answer
    if-eqz p3, :photo
    invoke-virtual {p3}, Landroid/content/Intent;->getClipData()Landroid/content/ClipData;
    move-result-object v2
    if-eqz v2, :single
    invoke-virtual {v2}, Landroid/content/ClipData;->getItemCount()I
    move-result v3
    new-array v0, v3, [Landroid/net/Uri;
    const/4 v1, 0x0
    :next
    if-ge v1, v3, :answer
    invoke-virtual {v2, v1}, Landroid/content/ClipData;->getItemAt(I)Landroid/content/ClipData$Item;
    move-result-object v4
    invoke-virtual {v4}, Landroid/content/ClipData$Item;->getUri()Landroid/net/Uri;
    move-result-object v4
    aput-object v4, v0, v1
    add-int/lit8 v1, v1, 0x1
    goto :next
    :single
    invoke-virtual {p3}, Landroid/content/Intent;->getData()Landroid/net/Uri;
    move-result-object v2
    if-nez v2, :one
    # The camera app answers without an address: it wrote to ours.
    :photo
    iget-object v2, p0, Lapp/snapship/shell/MainActivity;->photo:Landroid/net/Uri;
    if-eqz v2, :answer
    :one
    new-array v0, v1, [Landroid/net/Uri;
    const/4 v1, 0x0
    aput-object v2, v0, v1
    :answer
    invoke-direct {p0, v0}, Lapp/snapship/shell/MainActivity;->answer([Landroid/net/Uri;)V
    return-void
    :other
    invoke-super {p0, p1, p2, p3}, Landroid/app/Activity;->onActivityResult(IILandroid/content/Intent;)V
    return-void
.end method

# Answers the page, if it waits; null for nothing.
.method private answer([Landroid/net/Uri;)V
    .registers 4
    iget-object v0, p0, Lapp/snapship/shell/MainActivity;->chosen:Landroid/webkit/ValueCallback;
    const/4 v1, 0x0
    iput-object v1, p0, Lapp/snapship/shell/MainActivity;->chosen:Landroid/webkit/ValueCallback;
    iput-object v1, p0, Lapp/snapship/shell/MainActivity;->photo:Landroid/net/Uri;
    if-eqz v0, :nobody
    invoke-interface {v0, p1}, Landroid/webkit/ValueCallback;->onReceiveValue(Ljava/lang/Object;)V
    :nobody
    return-void
.end method
