# Hands what the page asks for to the activity.

.class Lapp/snapship/shell/Chrome;
.super Landroid/webkit/WebChromeClient;
.source "Chrome.smali"

.field private final activity:Lapp/snapship/shell/MainActivity;

.method constructor <init>(Lapp/snapship/shell/MainActivity;)V
    .registers 2
    invoke-direct {p0}, Landroid/webkit/WebChromeClient;-><init>()V
    iput-object p1, p0, Lapp/snapship/shell/Chrome;->activity:Lapp/snapship/shell/MainActivity;
    return-void
.end method

.method public onShowFileChooser(Landroid/webkit/WebView;Landroid/webkit/ValueCallback;Landroid/webkit/WebChromeClient$FileChooserParams;)Z
    .registers 5
    iget-object v0, p0, Lapp/snapship/shell/Chrome;->activity:Lapp/snapship/shell/MainActivity;
    invoke-virtual {v0, p2, p3}, Lapp/snapship/shell/MainActivity;->choose(Landroid/webkit/ValueCallback;Landroid/webkit/WebChromeClient$FileChooserParams;)V
    const/4 v0, 0x1
    return v0
.end method

.method public onPermissionRequest(Landroid/webkit/PermissionRequest;)V
    .registers 3
    iget-object v0, p0, Lapp/snapship/shell/Chrome;->activity:Lapp/snapship/shell/MainActivity;
    invoke-virtual {v0, p1}, Lapp/snapship/shell/MainActivity;->camera(Landroid/webkit/PermissionRequest;)V
    return-void
.end method

.method public onPermissionRequestCanceled(Landroid/webkit/PermissionRequest;)V
    .registers 3
    iget-object v0, p0, Lapp/snapship/shell/Chrome;->activity:Lapp/snapship/shell/MainActivity;
    invoke-virtual {v0}, Lapp/snapship/shell/MainActivity;->cameraCanceled()V
    return-void
.end method
