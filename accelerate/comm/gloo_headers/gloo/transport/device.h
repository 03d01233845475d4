// gloo/transport/device.h: declares what c10d's ProcessGroupGloo.hpp names of
// Gloo's transports.
#pragma once

namespace gloo {
namespace transport {

class Device;

class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = 0;
};

} // namespace transport
} // namespace gloo
