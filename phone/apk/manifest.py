"""``AndroidManifest.xml`` of the app, and the XML of its icon."""

from __future__ import annotations

from phone.apk.binary_xml import Element, Number, encode_xml
from phone.apk.resources import ICON, ICON_BACKGROUND, ICON_PICTURE, LABEL, THEME
from phone.apk.string_pool import Type

MIN_SDK = 24
"""Android 7: the first that checks the v2 signature, and whose WebView is updated by itself."""

TARGET_SDK = 35

_ACTIVITY = "app.snapship.shell.MainActivity"
_PROVIDER = "app.snapship.shell.Files"

_KEPT = 0x0004 | 0x0010 | 0x0020 | 0x0040 | 0x0080 | 0x0100 | 0x0400 | 0x0800 | 0x1000
"""Changes that do not start the page anew: locale, keyboard, keyboardHidden, navigation, orientation,
screenLayout, screenSize, smallestScreenSize, density. Not uiMode: dark mode needs the other theme."""

_ADJUST_RESIZE = 0x10


def encode_manifest(package: str, version_code: int, version_name: str) -> bytes:
    """The manifest.

    The permission INTERNET is not asked for: the WebView hands requests to the app before it looks for a
    network, and without the permission Android itself guarantees that nothing leaves the phone.

    Args:
        package: Name of the package.
        version_code: The number by which Android tells updates from downgrades.
        version_name: The version that people see.
    """
    launch = Element(
        "intent-filter",
        children=(
            Element("action", {"name": "android.intent.action.MAIN"}),
            Element("category", {"name": "android.intent.category.LAUNCHER"}),
        ),
    )
    activity = Element(
        "activity",
        {
            "name": _ACTIVITY,
            "exported": True,
            "configChanges": Number(Type.FLAGS, _KEPT),
            "windowSoftInputMode": Number(Type.FLAGS, _ADJUST_RESIZE),
        },
        (launch,),
    )
    provider = Element(
        "provider",
        {
            "name": _PROVIDER,
            "authorities": f"{package}.files",
            "exported": False,
            "grantUriPermissions": True,
        },
    )
    application = Element(
        "application",
        {
            "label": Number(Type.REFERENCE, LABEL),
            "icon": Number(Type.REFERENCE, ICON),
            "theme": Number(Type.REFERENCE, THEME),
            # The history of classified photos stays on the phone.
            "allowBackup": False,
            "supportsRtl": True,
            "usesCleartextTraffic": False,
        },
        (activity, provider),
    )
    # Without this, the permission alone would hide the app from devices without a camera.
    cameras = (
        Element("uses-feature", {"name": f"android.hardware.{name}", "required": False})
        for name in ("camera", "camera.autofocus")
    )
    root = Element(
        "manifest",
        {
            "package": package,
            "versionCode": version_code,
            "versionName": version_name,
            "compileSdkVersion": TARGET_SDK,
            "compileSdkVersionCodename": "15",
        },
        (
            Element("uses-sdk", {"minSdkVersion": MIN_SDK, "targetSdkVersion": TARGET_SDK}),
            Element("uses-permission", {"name": "android.permission.CAMERA"}),
            *cameras,
            application,
        ),
    )
    return encode_xml(root)


def encode_icon() -> bytes:
    """The adaptive icon: the picture where no launcher's shape cuts it off, on one colour."""
    # A sixth on each side: launchers show the inner 72 of 108 units. A fraction with 23 binary places.
    sixth = (1 << 23) // 6 << 8 | 3 << 4
    picture = Element(
        "inset",
        {"drawable": Number(Type.REFERENCE, ICON_PICTURE), "inset": Number(Type.FRACTION, sixth)},
    )
    return encode_xml(
        Element(
            "adaptive-icon",
            children=(
                Element("background", {"drawable": Number(Type.REFERENCE, ICON_BACKGROUND)}),
                Element("foreground", children=(picture,)),
            ),
        )
    )
