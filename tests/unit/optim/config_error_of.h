// tests/unit/optim/config_error_of.h: the text of a ConfigError.
#pragma once

#include <string>

#include "accelerate/error.h"

namespace accelerate::optim {

/// The message of the ConfigError that `f` throws, or a text saying that it
/// threw none.
template <typename F>
std::string config_error_of(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

} // namespace accelerate::optim
