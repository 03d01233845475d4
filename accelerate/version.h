// accelerate/version.h: the project's version, its only source; CMake and the
// Python package read it from here.
#pragma once

#define ACCELERATE_VERSION_MAJOR 0
#define ACCELERATE_VERSION_MINOR 1
#define ACCELERATE_VERSION_PATCH 0
#define ACCELERATE_VERSION_STRING "0.1.0"

// The release of Hugging Face Accelerate whose interface the Python package
// has; its version is this one, with ours after it: 1.15.0+native.0.1.0.
#define ACCELERATE_PYTHON_API_VERSION "1.15.0"
