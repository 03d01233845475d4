// accelerate/comm/exchange_check.cpp
#include "accelerate/comm/exchange_check_impl.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/process_group_impl.h"

#include <algorithm>
#include <utility>

namespace accelerate::comm {
namespace {

/// What a reader of an error can take in; the rest is in the hash.
constexpr std::size_t kShownNames = 4;

} // namespace

ExchangeCheck::ExchangeCheck(const ProcessGroup& group, std::string model)
    : group_(group), model_(std::move(model)) {}

void ExchangeCheck::operator()(
    std::string_view operation,
    const std::vector<at::Tensor>& tensors) {
  const int number = count_++;
  const std::vector<BucketPart> parts = look(tensors);
  if (group_.impl().compares_exchanges()) {
    compare(operation, number, tensors, parts);
  }
}

void ExchangeCheck::show(const std::vector<at::Tensor>& tensors) {
  (void)look(tensors);
}

std::vector<BucketPart> ExchangeCheck::look(
    const std::vector<at::Tensor>& tensors) {
  ProcessGroup::Impl& impl = group_.impl();
  const bool is_gradient =
      tensors.size() == 1 && tensors.front().is_floating_point();
  std::vector<BucketPart> parts;
  if (!is_gradient ||
      (!impl.compares_exchanges() && !impl.gradient_watch.is_on())) {
    return parts;
  }
  if (contents_) {
    parts = contents_(tensors.front());
  }
  if (impl.gradient_watch.is_on()) {
    impl.gradient_watch.look_at(tensors.front(), parts);
  }
  return parts;
}

void ExchangeCheck::compare(
    std::string_view operation,
    int number,
    const std::vector<at::Tensor>& tensors,
    const std::vector<BucketPart>& parts) {
  std::vector<std::string> names;
  for (const BucketPart& part : parts) {
    names.push_back(part.parameter.name);
  }
  agree(
      group_,
      {.where = operation,
       .description = concat(
           "exchange ",
           number,
           " of ",
           model_,
           ": ",
           describe(tensors),
           names.empty() ? "" : " of " + list_names(names))});
}

std::string list_names(const std::vector<std::string>& names) {
  std::string text;
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    all += names[i] + '\n';
    if (i < kShownNames) {
      text += concat(i == 0 ? "'" : ", '", names[i], "'");
    }
  }
  return names.size() <= kShownNames ? text
                                     : concat(
                                           text,
                                           " and ",
                                           names.size() - kShownNames,
                                           " more in the order ",
                                           std::hex,
                                           fingerprint(all));
}

} // namespace accelerate::comm
