plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "dev.snapship"
    compileSdk = 35

    defaultConfig {
        applicationId = @PACKAGE@
        minSdk = 24
        targetSdk = 35
        versionCode = @VERSION_CODE@
        versionName = @VERSION_NAME@
        // The phone report names the engine with its version.
        buildConfigField("String", "LITERT_VERSION", "\"${libs.versions.litert.get()}\"")
        externalNativeBuild {
            // Phones with memory pages of 16 kB load only libraries that are aligned to them.
            cmake { arguments += "-DANDROID_SUPPORT_FLEXIBLE_PAGE_SIZES=ON" }
        }
    }

    buildFeatures {
        buildConfig = true
    }

    externalNativeBuild {
        cmake {
            path = file("src/main/cpp/CMakeLists.txt")
        }
    }

    androidResources {
        // The model is mapped into memory as it lies in the package.
        noCompress += "tflite"
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    kotlinOptions {
        jvmTarget = "17"
    }
}

dependencies {
    implementation(libs.litert)
    implementation(libs.androidx.activity)
    implementation(libs.androidx.core)
}
