// tests/unit/optim/golden.h: the weights and gradients of
// tools/golden/optim.py, made again, and its results.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <ATen/Tensor.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include "accelerate/optim/optimizer.h"

namespace accelerate::optim {

inline nlohmann::json read_golden(const std::string& name) {
  const std::string path =
      std::string(ACCELERATE_TEST_DATA) + "/parity/golden/" + name;
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  return nlohmann::json::parse(file);
}

/// The number stream of the script's doc comment.
class Stream {
 public:
  explicit Stream(std::int64_t number) : state_(12345 + 7919 * number) {}

  at::Tensor tensor(const std::vector<std::int64_t>& shape) {
    std::int64_t numel = 1;
    for (const std::int64_t size : shape) {
      numel *= size;
    }
    std::vector<float> values;
    for (std::int64_t i = 0; i < numel; ++i) {
      state_ = (1103515245 * state_ + 12345) % (std::int64_t{1} << 31);
      values.push_back(static_cast<float>(state_ >> 15) / 65536.0F - 0.5F);
    }
    // Not a view: those would be taken for a part of a bucket.
    return at::tensor(values).reshape(shape).clone();
  }

 private:
  std::int64_t state_;
};

/// Parameters of one group with the settings of the golden file.
struct GoldenGroup {
  std::vector<at::Tensor> params;
  nlohmann::json settings;
};

/// Runs every case of `kind` with the optimiser that `make` builds, and
/// compares the weights at the steps kept.
inline void expect_golden(
    const std::string& kind,
    const std::function<std::unique_ptr<Optimizer>(std::vector<GoldenGroup>)>&
        make) {
  const nlohmann::json golden = read_golden("optim.json");
  int cases = 0;
  for (const nlohmann::json& row : golden["cases"]) {
    if (row["kind"] != kind) {
      continue;
    }
    ++cases;
    SCOPED_TRACE(row["settings"].dump());
    Stream stream(0);
    std::vector<at::Tensor> params;
    for (const auto& shape : golden["shapes"]) {
      params.push_back(stream.tensor(shape).requires_grad_());
    }
    std::vector<GoldenGroup> groups;
    for (std::size_t g = 0; g < row["groups"].size(); ++g) {
      groups.push_back({{}, row["settings"][g]});
      for (const std::size_t index : row["groups"][g]) {
        groups.back().params.push_back(params[index]);
      }
    }
    const std::unique_ptr<Optimizer> optimizer = make(std::move(groups));
    for (int step = 1; step <= 50; ++step) {
      Stream gradients(step);
      for (std::size_t i = 0; i < params.size(); ++i) {
        const at::Tensor gradient = gradients.tensor(params[i].sizes().vec());
        if (i != 1 || (step != 1 && step % 3 != 0)) {
          params[i].mutable_grad() = gradient;
        }
      }
      optimizer->step();
      optimizer->zero_grad();
      const std::string key = std::to_string(step);
      if (!row["weights"].contains(key)) {
        continue;
      }
      std::vector<at::Tensor> flat;
      for (const at::Tensor& param : params) {
        flat.push_back(param.detach().flatten());
      }
      const at::Tensor expected =
          at::tensor(row["weights"][key].get<std::vector<float>>());
      const auto difference =
          (at::cat(flat) - expected).abs().max().item().toDouble();
      // A weight is at most 4; the kernels round a few operations elsewhere.
      EXPECT_LE(difference, 5e-7) << "step " << step;
    }
  }
  EXPECT_GT(cases, 0);
}

} // namespace accelerate::optim
