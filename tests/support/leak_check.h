// tests/support/leak_check.h: fails a test that leaves something behind in its
// process.
#pragma once

namespace accelerate::test {

/// From now on every test of this program must leave environment variables,
/// open descriptors, threads and child processes as it found them. Call it
/// before the tests run:
///
///     const bool kChecksLeaks = test::install_leak_check();
///
/// @return true, so that it can initialise a constant
bool install_leak_check();

} // namespace accelerate::test
