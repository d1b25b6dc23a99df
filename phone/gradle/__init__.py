"""A native Android app as a Gradle project: Kotlin, LiteRT, and the C core by the NDK."""

from phone.gradle.writing import write_project

__all__ = ["write_project"]
