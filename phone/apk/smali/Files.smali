# Files in the app's cache that another app may open: what is shared, and where the camera app writes its photo.
# Not exported: another app reaches one file, for as long as the intent that named it allows.

.class public Lapp/snapship/shell/Files;
.super Landroid/content/ContentProvider;
.source "Files.smali"

.method public constructor <init>()V
    .registers 1
    invoke-direct {p0}, Landroid/content/ContentProvider;-><init>()V
    return-void
.end method

.method private static folder(Landroid/content/Context;)Ljava/io/File;
    .registers 4
    new-instance v0, Ljava/io/File;
    invoke-virtual {p0}, Landroid/content/Context;->getCacheDir()Ljava/io/File;
    move-result-object v1
    const-string v2, "shared"
    invoke-direct {v0, v1, v2}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    return-object v0
.end method

# The file of a name; folders in the name are dropped.
.method private static file(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    .registers 5
    new-instance v0, Ljava/io/File;
    invoke-direct {v0, p1}, Ljava/io/File;-><init>(Ljava/lang/String;)V
    invoke-virtual {v0}, Ljava/io/File;->getName()Ljava/lang/String;
    move-result-object v0
    new-instance v1, Ljava/io/File;
    invoke-static {p0}, Lapp/snapship/shell/Files;->folder(Landroid/content/Context;)Ljava/io/File;
    move-result-object v2
    invoke-direct {v1, v2, v0}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    return-object v1
.end method

.method private static address(Landroid/content/Context;Ljava/io/File;)Landroid/net/Uri;
    .registers 5
    new-instance v0, Landroid/net/Uri$Builder;
    invoke-direct {v0}, Landroid/net/Uri$Builder;-><init>()V
    const-string v1, "content"
    invoke-virtual {v0, v1}, Landroid/net/Uri$Builder;->scheme(Ljava/lang/String;)Landroid/net/Uri$Builder;
    new-instance v1, Ljava/lang/StringBuilder;
    invoke-virtual {p0}, Landroid/content/Context;->getPackageName()Ljava/lang/String;
    move-result-object v2
    invoke-direct {v1, v2}, Ljava/lang/StringBuilder;-><init>(Ljava/lang/String;)V
    const-string v2, ".files"
    invoke-virtual {v1, v2}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v1}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Landroid/net/Uri$Builder;->authority(Ljava/lang/String;)Landroid/net/Uri$Builder;
    invoke-virtual {p1}, Ljava/io/File;->getName()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Landroid/net/Uri$Builder;->appendPath(Ljava/lang/String;)Landroid/net/Uri$Builder;
    invoke-virtual {v0}, Landroid/net/Uri$Builder;->build()Landroid/net/Uri;
    move-result-object v0
    return-object v0
.end method

# Removes all of them.
.method static clear(Landroid/content/Context;)V
    .registers 5
    invoke-static {p0}, Lapp/snapship/shell/Files;->folder(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->listFiles()[Ljava/io/File;
    move-result-object v0
    if-eqz v0, :done
    array-length v1, v0
    const/4 v2, 0x0
    :next
    if-ge v2, v1, :done
    aget-object v3, v0, v2
    invoke-virtual {v3}, Ljava/io/File;->delete()Z
    add-int/lit8 v2, v2, 0x1
    goto :next
    :done
    return-void
.end method

# An address for the next photo. The name is new each time: the page may still read the one before.
.method static photo(Landroid/content/Context;)Landroid/net/Uri;
    .registers 5
    invoke-static {p0}, Lapp/snapship/shell/Files;->folder(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->mkdirs()Z
    new-instance v0, Ljava/lang/StringBuilder;
    const-string v1, "photo-"
    invoke-direct {v0, v1}, Ljava/lang/StringBuilder;-><init>(Ljava/lang/String;)V
    invoke-static {}, Ljava/lang/System;->currentTimeMillis()J
    move-result-wide v1
    invoke-virtual {v0, v1, v2}, Ljava/lang/StringBuilder;->append(J)Ljava/lang/StringBuilder;
    const-string v1, ".jpg"
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v0}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v0
    invoke-static {p0, v0}, Lapp/snapship/shell/Files;->file(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    move-result-object v0
    invoke-static {p0, v0}, Lapp/snapship/shell/Files;->address(Landroid/content/Context;Ljava/io/File;)Landroid/net/Uri;
    move-result-object v0
    return-object v0
.end method

# Writes a file to share, and returns its address.
.method static write(Landroid/content/Context;Ljava/lang/String;[B)Landroid/net/Uri;
    .registers 6
    .annotation system Ldalvik/annotation/Throws;
        value = { Ljava/io/IOException; }
    .end annotation
    invoke-static {p0}, Lapp/snapship/shell/Files;->folder(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->mkdirs()Z
    invoke-static {p0, p1}, Lapp/snapship/shell/Files;->file(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    move-result-object v0
    new-instance v1, Ljava/io/FileOutputStream;
    invoke-direct {v1, v0}, Ljava/io/FileOutputStream;-><init>(Ljava/io/File;)V
    :try_start
    invoke-virtual {v1, p2}, Ljava/io/FileOutputStream;->write([B)V
    :try_end
    .catchall {:try_start .. :try_end} :failed
    invoke-virtual {v1}, Ljava/io/FileOutputStream;->close()V
    invoke-static {p0, v0}, Lapp/snapship/shell/Files;->address(Landroid/content/Context;Ljava/io/File;)Landroid/net/Uri;
    move-result-object v0
    return-object v0
    :failed
    move-exception v2
    invoke-virtual {v1}, Ljava/io/FileOutputStream;->close()V
    throw v2
.end method

.method private fileOf(Landroid/net/Uri;)Ljava/io/File;
    .registers 4
    invoke-virtual {p0}, Lapp/snapship/shell/Files;->getContext()Landroid/content/Context;
    move-result-object v0
    invoke-virtual {p1}, Landroid/net/Uri;->getLastPathSegment()Ljava/lang/String;
    move-result-object v1
    invoke-static {v0, v1}, Lapp/snapship/shell/Files;->file(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    move-result-object v0
    return-object v0
.end method

.method public onCreate()Z
    .registers 2
    const/4 v0, 0x1
    return v0
.end method

.method public openFile(Landroid/net/Uri;Ljava/lang/String;)Landroid/os/ParcelFileDescriptor;
    .registers 5
    .annotation system Ldalvik/annotation/Throws;
        value = { Ljava/io/FileNotFoundException; }
    .end annotation
    invoke-direct {p0, p1}, Lapp/snapship/shell/Files;->fileOf(Landroid/net/Uri;)Ljava/io/File;
    move-result-object v0
    invoke-static {p2}, Landroid/os/ParcelFileDescriptor;->parseMode(Ljava/lang/String;)I
    move-result v1
    invoke-static {v0, v1}, Landroid/os/ParcelFileDescriptor;->open(Ljava/io/File;I)Landroid/os/ParcelFileDescriptor;
    move-result-object v0
    return-object v0
.end method

.method public getType(Landroid/net/Uri;)Ljava/lang/String;
    .registers 3
    invoke-virtual {p1}, Landroid/net/Uri;->getLastPathSegment()Ljava/lang/String;
    move-result-object v0
    invoke-static {v0}, Lapp/snapship/shell/Client;->typeOf(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

# Name and size, whatever columns are asked for: readers look columns up by name.
.method public query(Landroid/net/Uri;[Ljava/lang/String;Ljava/lang/String;[Ljava/lang/String;Ljava/lang/String;)Landroid/database/Cursor;
    .registers 13
    const/4 v4, 0x2
    const/4 v5, 0x0
    const/4 v6, 0x1
    new-array v0, v4, [Ljava/lang/String;
    const-string v1, "_display_name"
    aput-object v1, v0, v5
    const-string v1, "_size"
    aput-object v1, v0, v6
    new-instance v1, Landroid/database/MatrixCursor;
    invoke-direct {v1, v0}, Landroid/database/MatrixCursor;-><init>([Ljava/lang/String;)V
    invoke-direct {p0, p1}, Lapp/snapship/shell/Files;->fileOf(Landroid/net/Uri;)Ljava/io/File;
    move-result-object v2
    new-array v0, v4, [Ljava/lang/Object;
    invoke-virtual {v2}, Ljava/io/File;->getName()Ljava/lang/String;
    move-result-object v3
    aput-object v3, v0, v5
    invoke-virtual {v2}, Ljava/io/File;->length()J
    move-result-wide v2
    invoke-static {v2, v3}, Ljava/lang/Long;->valueOf(J)Ljava/lang/Long;
    move-result-object v2
    aput-object v2, v0, v6
    invoke-virtual {v1, v0}, Landroid/database/MatrixCursor;->addRow([Ljava/lang/Object;)V
    return-object v1
.end method

.method public insert(Landroid/net/Uri;Landroid/content/ContentValues;)Landroid/net/Uri;
    .registers 4
    const/4 v0, 0x0
    return-object v0
.end method

.method public update(Landroid/net/Uri;Landroid/content/ContentValues;Ljava/lang/String;[Ljava/lang/String;)I
    .registers 6
    const/4 v0, 0x0
    return v0
.end method

.method public delete(Landroid/net/Uri;Ljava/lang/String;[Ljava/lang/String;)I
    .registers 5
    const/4 v0, 0x0
    return v0
.end method
