// tests/unit/models/kernels/simd_dispatch_test.cpp: every instruction set that
// this processor has computes the same.
#include <gtest/gtest.h>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cmath>
#include <cstring>
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

/// Our conversions against c10's, for all 16-bit patterns and for floats.
template <typename C10>
void expect_conversions(const LowKernels& kernels) {
  constexpr std::size_t kPatterns = 65536;
  std::vector<LowBits> low(kPatterns), back(kPatterns);
  std::vector<float> wide(kPatterns);
  for (std::size_t i = 0; i < kPatterns; ++i) {
    low[i] = static_cast<LowBits>(i);
  }
  kernels.widen(low.data(), kPatterns, wide.data());
  kernels.narrow(wide.data(), kPatterns, back.data());
  for (std::size_t i = 0; i < kPatterns; ++i) {
    const float expected = C10(low[i], C10::from_bits());
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(wide[i])) << i;
      ASSERT_TRUE(std::isnan(float(C10(back[i], C10::from_bits())))) << i;
    } else {
      ASSERT_EQ(std::memcmp(&wide[i], &expected, sizeof(float)), 0) << i;
      ASSERT_EQ(back[i], low[i]);
    }
  }
  // Floats of all sizes, and those half-way between two results.
  std::vector<float> values(300007);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = static_cast<std::uint32_t>(i * 14317u) ^
        (i % 3 == 0 ? 0u : 0x1000u) ^ (i % 5 == 0 ? 0x80000000u : 0u);
    std::memcpy(&values[i], &bits, sizeof(float));
  }
  values[0] = 65519.996f;
  values[1] = 65520.0f;
  values[2] = -INFINITY;
  std::vector<LowBits> rounded(values.size());
  kernels.narrow(
      values.data(), static_cast<std::int64_t>(values.size()), rounded.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const C10 expected(values[i]);
    if (std::isnan(values[i])) {
      ASSERT_TRUE(std::isnan(float(C10(rounded[i], C10::from_bits()))));
    } else {
      ASSERT_EQ(rounded[i], expected.x) << values[i];
    }
  }
}

TEST(SimdKernels, RoundToSixteenBitsAsC10Does) {
  for (const SimdKernels* kernels : runnable()) {
    SCOPED_TRACE(kernels->name);
    expect_conversions<c10::BFloat16>(kernels->bfloat16);
    expect_conversions<c10::Half>(kernels->half);
  }
}

/// `format` of a table, of `kernels` and of the baseline.
using Format = LowKernels SimdKernels::*;

std::vector<LowBits> narrowed(
    const LowKernels& kernels,
    const std::vector<float>& values) {
  std::vector<LowBits> low(values.size());
  kernels.narrow(
      values.data(), static_cast<std::int64_t>(values.size()), low.data());
  return low;
}

std::vector<float> widened(
    const LowKernels& kernels,
    const std::vector<LowBits>& low) {
  std::vector<float> values(low.size());
  kernels.widen(
      low.data(), static_cast<std::int64_t>(low.size()), values.data());
  return values;
}

std::vector<float> low_gelu_and_norm(const LowKernels& kernels) {
  constexpr std::size_t kSize = 4 * 37;
  const std::vector<float> bias = wave(37, 0.3f);
  const std::vector<float> residual = wave(kSize, 0.9f);
  const DropoutArguments dropout{9, 1, 6554, 1.1f};
  std::vector<LowBits> x = narrowed(kernels, wave(kSize, 0.7f));
  const std::vector<LowBits> dy = narrowed(kernels, wave(kSize, 0.2f));
  std::vector<LowBits> out(5 * kSize);
  std::vector<float> floats(3 * kSize), sums(5 * 37), deviation(4);
  std::vector<float> scratch(
      static_cast<std::size_t>(low_norm_scratch_floats(37)));
  LowGeluArguments gelu{x.data(), bias.data(), dy.data(), out.data(), 37};
  kernels.gelu_forward(gelu, 0, 4);
  gelu.out = out.data() + kSize;
  kernels.gelu_backward(gelu, 0, 4, sums.data());
  kernels.norm_forward(
      {x.data(),
       bias.data(),
       residual.data(),
       bias.data(),
       bias.data(),
       floats.data(),
       out.data() + 2 * kSize,
       deviation.data(),
       37,
       1e-5f,
       dropout},
      0,
      4,
      scratch.data());
  kernels.norm_backward(
      {residual.data(),
       dy.data(),
       x.data(),
       deviation.data(),
       bias.data(),
       floats.data() + kSize,
       out.data() + 3 * kSize,
       37,
       dropout},
      0,
      4,
      {sums.data() + 37, sums.data() + 74, sums.data() + 111},
      scratch.data());
  kernels.column_sums(dy.data(), 37, 0, 4, sums.data() + 148);
  for (const auto& part : {widened(kernels, out), widened(kernels, x), sums}) {
    floats.insert(floats.end(), part.begin(), part.end());
  }
  return floats;
}

std::vector<float> low_attention(const LowKernels& kernels) {
  constexpr std::int64_t kTokens = 21 + 34;
  constexpr std::int64_t kDim = 20;
  constexpr std::size_t kWidth = 2 * kDim;
  const std::int64_t starts[] = {0, 21, kTokens};
  const auto qkv = narrowed(kernels, wave(kTokens * 3 * kWidth, 0.37f));
  const auto dout = narrowed(kernels, wave(kTokens * kWidth, 0.11f));
  std::vector<LowBits> out(kTokens * kWidth), gradient(qkv.size());
  std::vector<float> lse(kTokens * 2);
  std::vector<float> scratch(
      static_cast<std::size_t>(low_attention_scratch_floats(34, kDim)));
  const LowAttentionArguments arguments{
      {nullptr,
       nullptr,
       nullptr,
       3 * kWidth,
       3 * kWidth,
       starts,
       false,
       2,
       kDim,
       0.2f,
       {4, 2, 6554, 1.1f},
       nullptr,
       lse.data()},
      qkv.data(),
      qkv.data() + kWidth,
      qkv.data() + 2 * kWidth,
      out.data()};
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
  std::vector<float> result = widened(kernels, out);
  const std::vector<float> more = widened(kernels, gradient);
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

TEST(SimdKernels, AgreeOnSixteenBitLoops) {
  // Sums in another order may round to the neighbouring number: one step of
  // the format at the largest values, about 30.
  const std::pair<Format, float> formats[] = {
      {&SimdKernels::bfloat16, 0.13f}, {&SimdKernels::half, 0.016f}};
  for (const SimdKernels* kernels : runnable()) {
    SCOPED_TRACE(kernels->name);
    for (const auto& [format, tolerance] : formats) {
      const LowKernels& ours = kernels->*format;
      const LowKernels& base = baseline::kernels().*format;
      expect_near(low_gelu_and_norm(ours), low_gelu_and_norm(base), tolerance);
      expect_near(low_attention(ours), low_attention(base), tolerance);
    }
  }
}

} // namespace
} // namespace accelerate::models
