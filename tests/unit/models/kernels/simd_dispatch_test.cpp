// tests/unit/models/kernels/simd_dispatch_test.cpp: every instruction set that
// this processor has computes the same.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "accelerate/models/kernels/simd_impl.h"

namespace accelerate::models {
namespace {

std::vector<const SimdKernels*> runnable() {
  std::vector<const SimdKernels*> result{&baseline::kernels()};
#if defined(__x86_64__)
  const std::string best = simd_kernels().name;
  if (best != "baseline") {
    result.push_back(&avx2::kernels());
  }
  if (best == "avx512") {
    result.push_back(&avx512::kernels());
  }
#endif
  return result;
}

std::vector<float> wave(std::size_t n, float step) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = 3 * std::sin(step * static_cast<float>(i));
  }
  return values;
}

void expect_near(
    const std::vector<float>& a,
    const std::vector<float>& b,
    float tolerance) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], b[i], tolerance) << i;
  }
}

TEST(SimdKernels, DrawTheSameMasks) {
  const DropoutArguments dropout{0x123456789ABCDEFull, 5, 20000, 2};
  std::vector<float> expected(384);
  baseline::kernels().dropout_row(dropout, 17, 300, expected.data());
  for (const SimdKernels* kernels : runnable()) {
    std::vector<float> keep(384);
    kernels->dropout_row(dropout, 17, 300, keep.data());
    EXPECT_EQ(keep, expected) << kernels->name;
  }
}

TEST(SimdKernels, DrawPhiloxesPublishedNumbers) {
  // Known answer of Philox4x32-10 for key 0 and counter 0 (kat_vectors of
  // Random123): 6627e8d5 e169c58d bc57ac4c 9b00dbd8. Element w · 16 of a row
  // is decided by the low half of word w, element 64 + w · 16 by the high one.
  const std::uint32_t words[] = {
      0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (std::size_t w = 0; w < 4; ++w) {
    const std::uint32_t halves[] = {words[w] & 0xFFFF, words[w] >> 16};
    for (std::size_t half = 0; half < 2; ++half) {
      std::vector<float> keep(128);
      baseline::kernels().dropout_row(
          {0, 0, halves[half], 1}, 0, 128, keep.data());
      EXPECT_EQ(keep[half * 64 + w * 16], 1.0f);
      baseline::kernels().dropout_row(
          {0, 0, halves[half] + 1, 1}, 0, 128, keep.data());
      EXPECT_EQ(keep[half * 64 + w * 16], 0.0f);
    }
  }
}

TEST(SimdKernels, AgreeOnGelu) {
  const std::vector<float> x = wave(3 * 37, 0.7f);
  const std::vector<float> bias = wave(37, 0.3f);
  const std::vector<float> dy = wave(3 * 37, 0.9f);
  const auto run = [&](const SimdKernels& kernels) {
    std::vector<float> out(2 * 3 * 37 + 37);
    kernels.gelu_forward(
        {x.data(), bias.data(), nullptr, out.data(), 37}, 0, 3);
    kernels.gelu_backward(
        {x.data(), bias.data(), dy.data(), out.data() + 111, 37},
        0,
        3,
        out.data() + 222);
    return out;
  };
  for (const SimdKernels* kernels : runnable()) {
    SCOPED_TRACE(kernels->name);
    expect_near(run(*kernels), run(baseline::kernels()), 2e-6f);
  }
}

TEST(SimdKernels, AgreeOnNorm) {
  constexpr std::size_t kSize = 4 * 37;
  const std::vector<float> bias = wave(37, 0.3f);
  const std::vector<float> residual = wave(kSize, 0.9f);
  const DropoutArguments dropout{9, 1, 6554, 1.1f};
  const auto run = [&](const SimdKernels& kernels) {
    std::vector<float> x = wave(kSize, 0.7f);
    std::vector<float> y(kSize), deviation(4), keep(128), dx(kSize),
        dresidual(kSize), sums(3 * 37);
    kernels.norm_forward(
        {x.data(),
         bias.data(),
         residual.data(),
         bias.data(),
         bias.data(),
         y.data(),
         deviation.data(),
         37,
         1e-5f,
         dropout},
        0,
        4,
        keep.data());
    kernels.norm_backward(
        {residual.data(),
         x.data(),
         deviation.data(),
         bias.data(),
         dresidual.data(),
         dx.data(),
         37,
         dropout},
        0,
        4,
        {sums.data(), sums.data() + 37, sums.data() + 74},
        keep.data());
    for (const auto& part : {x, deviation, dx, dresidual, sums}) {
      y.insert(y.end(), part.begin(), part.end());
    }
    return y;
  };
  for (const SimdKernels* kernels : runnable()) {
    SCOPED_TRACE(kernels->name);
    expect_near(run(*kernels), run(baseline::kernels()), 2e-5f);
  }
}

TEST(SimdKernels, AgreeOnAttention) {
  constexpr std::int64_t kTokens = 21 + 34;
  constexpr std::int64_t kHeads = 2;
  constexpr std::int64_t kDim = 20;
  constexpr std::size_t kWidth = kHeads * kDim;
  const std::int64_t starts[] = {0, 21, kTokens};
  const std::vector<float> qkv = wave(kTokens * 3 * kWidth, 0.37f);
  const std::vector<float> dout = wave(kTokens * kWidth, 0.11f);
  const auto run = [&](const SimdKernels& kernels) {
    std::vector<float> out(kTokens * kWidth), lse(kTokens * kHeads),
        gradient(qkv.size());
    std::vector<float> scratch(
        static_cast<std::size_t>(attention_scratch_floats(34, kDim)));
    const AttentionArguments arguments{
        qkv.data(),
        qkv.data() + kWidth,
        qkv.data() + 2 * kWidth,
        3 * kWidth,
        3 * kWidth,
        starts,
        false,
        kHeads,
        kDim,
        0.2f,
        {4, 2, 6554, 1.1f},
        out.data(),
        lse.data()};
    kernels.attention_forward(arguments, 0, 4, scratch.data());
    kernels.attention_backward(
        arguments,
        {dout.data(),
         gradient.data(),
         gradient.data() + kWidth,
         gradient.data() + 2 * kWidth},
        0,
        4,
        scratch.data());
    out.insert(out.end(), gradient.begin(), gradient.end());
    return out;
  };
  for (const SimdKernels* kernels : runnable()) {
    SCOPED_TRACE(kernels->name);
    expect_near(run(*kernels), run(baseline::kernels()), 5e-5f);
  }
}

} // namespace
} // namespace accelerate::models
