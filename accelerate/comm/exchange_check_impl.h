// accelerate/comm/exchange_check_impl.h: debug mode's comparison of what a
// reducer exchanges, before it does; and the watch for gradients.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/comm/gradient_watch_impl.h"
#include "accelerate/comm/process_group.h"

namespace accelerate::comm {

/// Looks at one exchange that c10d's Reducer is about to begin.
class ExchangeCheck {
 public:
  /// Parameters whose gradients a tensor holds; empty if unknown.
  using Contents = std::function<std::vector<BucketPart>(const at::Tensor&)>;

  /// @param model what to call it, the same on all ranks
  ExchangeCheck(const ProcessGroup& group, std::string model);

  void set_contents(Contents contents) {
    contents_ = std::move(contents);
  }
  /// The exchanges of a backward are counted from here.
  void begin_backward() {
    count_ = 0;
  }
  /// Shows gradients to the group's watch. Collective in debug mode.
  /// @param operation a literal
  /// @throws DisagreementError when another rank is about to do something else
  void operator()(
      std::string_view operation,
      const std::vector<at::Tensor>& tensors);
  /// Shows gradients to the group's watch and compares nothing. Not collective.
  void show(const std::vector<at::Tensor>& tensors);

 private:
  /// @return the gradients in the tensors, as far as they were looked for
  std::vector<BucketPart> look(const std::vector<at::Tensor>& tensors);
  void compare(
      std::string_view operation,
      int number,
      const std::vector<at::Tensor>& tensors,
      const std::vector<BucketPart>& parts);

  ProcessGroup group_;
  std::string model_;
  Contents contents_;
  int count_ = 0;
};

/// `'a', 'b', 'c' and 7 more in the order 1f3…`: the first few, and a hash of
/// all that makes two orders different texts.
[[nodiscard]] std::string list_names(const std::vector<std::string>& names);

} // namespace accelerate::comm
