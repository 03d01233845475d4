// accelerate/version.h: the project's version, its only source; CMake and the
// Python package read it from here.
#pragma once

#define ACCELERATE_VERSION_MAJOR 0
#define ACCELERATE_VERSION_MINOR 1
#define ACCELERATE_VERSION_PATCH 0
#define ACCELERATE_VERSION_STRING "0.1.0"
