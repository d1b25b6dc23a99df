# Answers every request of the page from assets/www, and refuses all others: the app has no network.

.class Lapp/snapship/shell/Client;
.super Landroid/webkit/WebViewClient;
.source "Client.smali"

# Scripts that are modules and .wasm files need their exact type.
.field private static final TYPES:Ljava/lang/String; = ";html=text/html;js=text/javascript;mjs=text/javascript;css=text/css;json=application/json;webmanifest=application/manifest+json;wasm=application/wasm;txt=text/plain;csv=text/csv;png=image/png;jpg=image/jpeg;jpeg=image/jpeg;webp=image/webp;gif=image/gif;bmp=image/bmp;svg=image/svg+xml;ico=image/x-icon;"

.field private final activity:Lapp/snapship/shell/MainActivity;

.method constructor <init>(Lapp/snapship/shell/MainActivity;)V
    .registers 2
    invoke-direct {p0}, Landroid/webkit/WebViewClient;-><init>()V
    iput-object p1, p0, Lapp/snapship/shell/Client;->activity:Lapp/snapship/shell/MainActivity;
    return-void
.end method

# Whether an address is https://app.snapship.invalid/...
.method static isOwn(Landroid/net/Uri;)Z
    .registers 3
    const-string v0, "https"
    invoke-virtual {p0}, Landroid/net/Uri;->getScheme()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    if-eqz v0, :no
    const-string v0, "app.snapship.invalid"
    invoke-virtual {p0}, Landroid/net/Uri;->getAuthority()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    :no
    return v0
.end method

# The MIME type by the ending of a name.
.method static typeOf(Ljava/lang/String;)Ljava/lang/String;
    .registers 5
    new-instance v0, Ljava/lang/StringBuilder;
    const-string v1, ";"
    invoke-direct {v0, v1}, Ljava/lang/StringBuilder;-><init>(Ljava/lang/String;)V
    const/16 v1, 0x2e
    invoke-virtual {p0, v1}, Ljava/lang/String;->lastIndexOf(I)I
    move-result v1
    add-int/lit8 v1, v1, 0x1
    invoke-virtual {p0, v1}, Ljava/lang/String;->substring(I)Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    const-string v1, "="
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v0}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v0
    sget-object v1, Lapp/snapship/shell/Client;->TYPES:Ljava/lang/String;
    invoke-virtual {v1, v0}, Ljava/lang/String;->indexOf(Ljava/lang/String;)I
    move-result v2
    if-gez v2, :found
    const-string v0, "application/octet-stream"
    return-object v0
    :found
    invoke-virtual {v0}, Ljava/lang/String;->length()I
    move-result v0
    add-int/2addr v2, v0
    const/16 v3, 0x3b
    invoke-virtual {v1, v3, v2}, Ljava/lang/String;->indexOf(II)I
    move-result v3
    invoke-virtual {v1, v2, v3}, Ljava/lang/String;->substring(II)Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

# Runs on a thread of the WebView.
.method public shouldInterceptRequest(Landroid/webkit/WebView;Landroid/webkit/WebResourceRequest;)Landroid/webkit/WebResourceResponse;
    .registers 7
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getUrl()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Lapp/snapship/shell/Client;->isOwn(Landroid/net/Uri;)Z
    move-result v1
    if-nez v1, :own
    # data: addresses hold their own content.
    const-string v1, "data"
    invoke-virtual {v0}, Landroid/net/Uri;->getScheme()Ljava/lang/String;
    move-result-object v2
    invoke-virtual {v1, v2}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-eqz v1, :missing
    const/4 v0, 0x0
    return-object v0

    :own
    invoke-virtual {v0}, Landroid/net/Uri;->getPath()Ljava/lang/String;
    move-result-object v0
    new-instance v1, Ljava/lang/StringBuilder;
    const-string v2, "www"
    invoke-direct {v1, v2}, Ljava/lang/StringBuilder;-><init>(Ljava/lang/String;)V
    invoke-virtual {v1, v0}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    const-string v2, "/"
    invoke-virtual {v0, v2}, Ljava/lang/String;->endsWith(Ljava/lang/String;)Z
    move-result v2
    if-eqz v2, :named
    const-string v2, "index.html"
    invoke-virtual {v1, v2}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    :named
    invoke-virtual {v1}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v1
    :try_start
    iget-object v2, p0, Lapp/snapship/shell/Client;->activity:Lapp/snapship/shell/MainActivity;
    invoke-virtual {v2}, Lapp/snapship/shell/MainActivity;->getAssets()Landroid/content/res/AssetManager;
    move-result-object v2
    invoke-virtual {v2, v1}, Landroid/content/res/AssetManager;->open(Ljava/lang/String;)Ljava/io/InputStream;
    move-result-object v2
    :try_end
    .catch Ljava/io/IOException; {:try_start .. :try_end} :no_file
    invoke-static {v1}, Lapp/snapship/shell/Client;->typeOf(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const/16 v1, 0xc8
    const-string v3, "OK"
    invoke-static {v0, v1, v3, v2}, Lapp/snapship/shell/Client;->response(Ljava/lang/String;ILjava/lang/String;Ljava/io/InputStream;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0

    :no_file
    move-exception v0
    :missing
    const/4 v0, 0x0
    new-array v0, v0, [B
    new-instance v2, Ljava/io/ByteArrayInputStream;
    invoke-direct {v2, v0}, Ljava/io/ByteArrayInputStream;-><init>([B)V
    const-string v0, "text/plain"
    const/16 v1, 0x194
    const-string v3, "Not Found"
    invoke-static {v0, v1, v3, v2}, Lapp/snapship/shell/Client;->response(Ljava/lang/String;ILjava/lang/String;Ljava/io/InputStream;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0
.end method

.method private static response(Ljava/lang/String;ILjava/lang/String;Ljava/io/InputStream;)Landroid/webkit/WebResourceResponse;
    .registers 11
    new-instance v0, Landroid/webkit/WebResourceResponse;
    # Text is UTF-8; an encoding would be wrong for the rest, and harmless.
    const-string v2, "utf-8"
    const-string v1, "text/"
    invoke-virtual {p0, v1}, Ljava/lang/String;->startsWith(Ljava/lang/String;)Z
    move-result v1
    if-nez v1, :text
    const/4 v2, 0x0
    :text
    move-object v1, p0
    move v3, p1
    move-object v4, p2
    invoke-static {}, Ljava/util/Collections;->emptyMap()Ljava/util/Map;
    move-result-object v5
    move-object v6, p3
    invoke-direct/range {v0 .. v6}, Landroid/webkit/WebResourceResponse;-><init>(Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Ljava/util/Map;Ljava/io/InputStream;)V
    return-object v0
.end method

# The page never leaves its origin.
.method public shouldOverrideUrlLoading(Landroid/webkit/WebView;Landroid/webkit/WebResourceRequest;)Z
    .registers 4
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getUrl()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Lapp/snapship/shell/Client;->isOwn(Landroid/net/Uri;)Z
    move-result v0
    xor-int/lit8 v0, v0, 0x1
    return v0
.end method

.method public onPageFinished(Landroid/webkit/WebView;Ljava/lang/String;)V
    .registers 4
    iget-object v0, p0, Lapp/snapship/shell/Client;->activity:Lapp/snapship/shell/MainActivity;
    invoke-virtual {v0}, Lapp/snapship/shell/MainActivity;->connect()V
    return-void
.end method

# The page's process ended. Killed for its memory: starts again; crashed: closes the app, for it would again.
.method public onRenderProcessGone(Landroid/webkit/WebView;Landroid/webkit/RenderProcessGoneDetail;)Z
    .registers 5
    iget-object v0, p0, Lapp/snapship/shell/Client;->activity:Lapp/snapship/shell/MainActivity;
    invoke-virtual {p2}, Landroid/webkit/RenderProcessGoneDetail;->didCrash()Z
    move-result v1
    if-eqz v1, :killed
    invoke-virtual {v0}, Lapp/snapship/shell/MainActivity;->finish()V
    goto :handled
    :killed
    invoke-virtual {v0}, Lapp/snapship/shell/MainActivity;->recreate()V
    :handled
    const/4 v0, 0x1
    return v0
.end method
