// accelerate/io/safetensors.cpp: reads and writes safetensors files.
#include "accelerate/io/safetensors.h"

#include "accelerate/error.h"
#include "accelerate/io/atomic_file.h"
#include "accelerate/io/mapped_file.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <tuple>
#include <utility>

namespace accelerate {
namespace {

constexpr const char* kWhere = "io.safetensors";

bool is_aligned(const char* data, at::ScalarType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(dtype) == 0;
}

// Kernels may rely on a bool being 0 or 1.
void check_bools(
    const at::Tensor& tensor,
    const std::string& path,
    const std::string& name) {
  if (tensor.scalar_type() != at::kBool) {
    return;
  }
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  const auto* end = bytes + tensor.numel();
  const auto* bad =
      std::find_if(bytes, end, [](std::uint8_t byte) { return byte > 1; });
  ACCELERATE_CHECK(
      bad == end,
      CheckpointError,
      kWhere,
      "'",
      path,
      "': tensor '",
      name,
      "': element ",
      bad - bytes,
      " is ",
      static_cast<int>(*bad),
      ", a BOOL is 0 or 1");
}

void check_savable(const NamedTensor& named) {
  ACCELERATE_CHECK(
      named.tensor.defined() && named.tensor.layout() == at::kStrided &&
          !named.tensor.is_meta(),
      ConfigError,
      kWhere,
      "tensor '",
      named.name,
      "' is undefined, sparse or without data; only dense tensors with data "
      "can be saved");
}

/// Positions of `tensors` in the order in which they are written.
std::vector<std::size_t> layout_order(const std::vector<NamedTensor>& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto dtype_a =
        io::safetensors_dtype_order(tensors[a].tensor.scalar_type());
    const auto dtype_b =
        io::safetensors_dtype_order(tensors[b].tensor.scalar_type());
    return std::tie(dtype_b, tensors[a].name) <
        std::tie(dtype_a, tensors[b].name);
  });
  return order;
}

io::SafetensorsHeader make_header(
    const std::vector<NamedTensor>& tensors,
    const std::vector<std::size_t>& order) {
  io::SafetensorsHeader header;
  std::uint64_t offset = 0;
  for (const std::size_t index : order) {
    const auto& [name, tensor] = tensors[index];
    const std::uint64_t end = offset + tensor.nbytes();
    const bool is_new =
        header.tensors
            .emplace(
                name,
                TensorInfo{
                    tensor.scalar_type(), tensor.sizes().vec(), offset, end})
            .second;
    ACCELERATE_CHECK(
        is_new, ConfigError, kWhere, "two tensors are named '", name, "'");
    header.names.push_back(name);
    offset = end;
  }
  return header;
}

void write_tensor(AtomicFile& file, const at::Tensor& tensor) {
  if (tensor.numel() == 0) {
    return;
  }
  const at::Tensor dense =
      tensor.detach().resolve_conj().resolve_neg().cpu().contiguous();
  file.write(
      {static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()});
}

} // namespace

struct SafetensorsFile::Impl {
  explicit Impl(const std::filesystem::path& path)
      : file(std::make_shared<io::MappedFile>(path)),
        header(io::parse_safetensors_header(file->bytes(), file->path())) {}

  std::shared_ptr<io::MappedFile> file; // also held by the views
  io::SafetensorsHeader header;
};

SafetensorsFile::SafetensorsFile(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  return SafetensorsFile(std::make_shared<const Impl>(path));
}

const std::vector<std::string>& SafetensorsFile::names() const {
  return impl_->header.names;
}

bool SafetensorsFile::contains(const std::string& name) const {
  return impl_->header.tensors.count(name) != 0;
}

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return impl_->header.metadata;
}

const std::string& SafetensorsFile::path() const {
  return impl_->file->path();
}

const TensorInfo& SafetensorsFile::info(const std::string& name) const {
  const auto found = impl_->header.tensors.find(name);
  ACCELERATE_CHECK(
      found != impl_->header.tensors.end(),
      CheckpointError,
      kWhere,
      "'",
      path(),
      "': has no tensor '",
      name,
      "' among its ",
      names().size());
  return found->second;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const TensorInfo& place = info(name);
  char* const data =
      impl_->file->data() + impl_->header.data_start + place.begin_byte;
  if (place.begin_byte == place.end_byte || !is_aligned(data, place.dtype)) {
    return copy(name);
  }
  at::Tensor view = at::from_blob(
      data,
      place.shape,
      [file = impl_->file](void*) {},
      at::TensorOptions().dtype(place.dtype));
  check_bools(view, path(), name);
  return view;
}

at::Tensor SafetensorsFile::copy(const std::string& name) const {
  const TensorInfo& place = info(name);
  at::Tensor result =
      at::empty(place.shape, at::TensorOptions().dtype(place.dtype));
  impl_->file->read(
      result.mutable_data_ptr(),
      place.end_byte - place.begin_byte,
      impl_->header.data_start + place.begin_byte);
  check_bools(result, path(), name);
  return result;
}

void save_safetensors(
    const std::filesystem::path& path,
    const std::vector<NamedTensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::for_each(tensors.begin(), tensors.end(), check_savable);
  const std::vector<std::size_t> order = layout_order(tensors);
  io::SafetensorsHeader header = make_header(tensors, order);
  header.metadata = metadata;
  AtomicFile file(path);
  file.write(io::render_safetensors_header(header));
  for (const std::size_t index : order) {
    write_tensor(file, tensors[index].tensor);
  }
  file.commit();
}

} // namespace accelerate
