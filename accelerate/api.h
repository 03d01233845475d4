// accelerate/api.h: marks what the libraries export.
#pragma once

/// Put on every function and class that a program outside the library calls:
/// `class ACCELERATE_API Foo`. Everything else is hidden.
#define ACCELERATE_API __attribute__((visibility("default")))
