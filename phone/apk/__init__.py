"""An Android app around the web app, made without Android's tools.

The phone's WebView shows the web app from the package itself. What differs from app to app is
written here: manifest, resources, zip and signature. What is the same in all of them, the code that
opens the WebView, is assembled once from ``smali/`` to ``classes.dex`` (``make dex``).
"""

from phone.apk.building import make_apk
from phone.apk.names import package_name, version_code
from phone.apk.signing_key import SigningKey

__all__ = ["SigningKey", "make_apk", "package_name", "version_code"]
