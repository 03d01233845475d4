// tests/unit/step/activation_checkpoint_test.cpp: values and gradients are
// those without a checkpoint, and what is kept is less.
#include "accelerate/step/activation_checkpoint.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"
#include "accelerate/state/seed.h"

namespace accelerate {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Tensors = std::vector<at::Tensor>;

at::Tensor leaf(std::vector<std::int64_t> sizes, double scale = 1) {
  std::int64_t numel = 1;
  for (const std::int64_t size : sizes) {
    numel *= size;
  }
  return ((at::arange(numel).to(at::kDouble).view(sizes) * 0.7).sin() * scale)
      .requires_grad_();
}

/// Gradients of `leaves` after the backward of `loss`; cleared.
Tensors gradients_of(const at::Tensor& loss, const Tensors& leaves) {
  loss.backward();
  Tensors gradients;
  for (const at::Tensor& tensor : leaves) {
    gradients.push_back(
        tensor.grad().defined() ? tensor.grad().clone() : at::Tensor());
    tensor.mutable_grad().reset();
  }
  return gradients;
}

void expect_equal(const Tensors& left, const Tensors& right) {
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(left[i].defined(), right[i].defined()) << i;
    EXPECT_TRUE(!left[i].defined() || at::equal(left[i], right[i])) << i;
  }
}

/// Runs `part(inputs)` plain and in a checkpoint; the losses have factors.
template <typename F>
void expect_same(F part, const Tensors& leaves) {
  const auto loss = [&](const at::Tensor& output) {
    return (output * output + output).sum();
  };
  set_seed(3);
  const at::Tensor plain = part(
      [](auto function, const auto&... inputs) { return function(inputs...); });
  const at::Tensor after_plain = at::rand({2});
  const Tensors expected = gradients_of(loss(plain), leaves);
  set_seed(3);
  const at::Tensor folded = part([](auto function, const auto&... inputs) {
    return checkpoint(function, inputs...);
  });
  EXPECT_TRUE(at::equal(at::rand({2}), after_plain)) << "random numbers";
  EXPECT_TRUE(at::equal(folded, plain));
  expect_equal(gradients_of(loss(folded), leaves), expected);
}

TEST(Checkpoint, GivesTheSameGradients) {
  const at::Tensor x = leaf({3, 4});
  const at::Tensor w = leaf({4, 4}, 0.3);
  const auto layer = [&](const at::Tensor& h) {
    return h.matmul(w).tanh() * h;
  };
  expect_same([&](auto run) { return run(layer, x * 2) + x; }, {x, w});
  // An input without gradient, and none with: the parameter counts.
  expect_same([&](auto run) { return run(layer, x.detach()); }, {w});
  // One parameter in two segments and outside.
  expect_same(
      [&](auto run) { return run(layer, run(layer, x)) + w.sum(); }, {x, w});
}

TEST(Checkpoint, RepeatsRandomNumbers) {
  const at::Tensor x = leaf({3, 4});
  const auto part = [&](const at::Tensor& h) {
    return at::dropout(h, 0.5, true);
  };
  expect_same([&](auto run) { return run(part, x * 1) * 3; }, {x});
}

TEST(Checkpoint, Nests) {
  const at::Tensor x = leaf({3, 4});
  const at::Tensor w = leaf({4, 4}, 0.3);
  expect_same(
      [&](auto run) {
        return run(
            [&](const at::Tensor& h) {
              return run(
                  [&](const at::Tensor& inner) {
                    return at::dropout(inner.matmul(w), 0.3, true);
                  },
                  h.tanh());
            },
            x);
      },
      {x, w});
}

TEST(Checkpoint, TakesTensorsThatAFunctionCaptured) {
  const at::Tensor x = leaf({3, 4});
  const at::Tensor w = leaf({4}, 0.3);
  expect_same(
      [&](auto run) {
        const at::Tensor scale = w.exp();
        return run([scale](const at::Tensor& h) { return h * scale; }, x) +
            scale.sum();
      },
      {x, w});
}

TEST(Checkpoint, KeepsTheStructureOfSeveralOutputs) {
  const at::Tensor x = leaf({2, 3});
  using Pair = std::pair<at::Tensor, Tensors>;
  const Pair result = checkpoint(
      [](const at::Tensor& a, const Tensors& list) {
        return Pair(a * 2, {list[0].argmax(), list[0].detach(), a * list[0]});
      },
      x,
      Tensors{x});
  EXPECT_FALSE(result.second[0].requires_grad());
  EXPECT_FALSE(result.second[1].requires_grad());
  const Tensors gradients = gradients_of(
      result.second[2].sum(), {x}); // the first output takes no part
  EXPECT_TRUE(at::allclose(gradients[0], 2 * x));
}

TEST(Checkpoint, ShowsParametersAsEdgesOfItsNode) {
  const at::Tensor w = leaf({4}, 0.3);
  const at::Tensor output =
      checkpoint([&](const at::Tensor& h) { return h * w; }, at::ones({4}));
  const auto accumulator = torch::autograd::impl::grad_accumulator(w);
  bool found = false;
  for (const auto& edge : output.grad_fn()->next_edges()) {
    found = found || edge.function.get() == accumulator.get();
  }
  EXPECT_TRUE(found);
}

TEST(Checkpoint, CallsHooksOfParametersOnce) {
  const at::Tensor x = leaf({4});
  const at::Tensor w = leaf({4}, 0.3);
  int calls = 0;
  w.register_hook([&](const at::Tensor& gradient) {
    ++calls;
    return gradient * 2;
  });
  const at::Tensor output =
      checkpoint([&](const at::Tensor& h) { return h * w; }, x);
  const Tensors gradients = gradients_of(output.sum(), {w});
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(at::equal(gradients[0], 2 * x));
}

TEST(Checkpoint, RepeatsAutocast) {
  const at::Tensor x = at::ones({2, 4}).requires_grad_();
  const at::Tensor w = at::ones({4, 4}).requires_grad_();
  std::vector<at::ScalarType> types;
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor output = checkpoint(
      [&](const at::Tensor& h) {
        const at::Tensor product = h.matmul(w);
        types.push_back(product.scalar_type());
        return product.to(at::kFloat);
      },
      x);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  output.sum().backward();
  EXPECT_THAT(types, testing::ElementsAre(at::kBFloat16, at::kBFloat16));
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  EXPECT_TRUE(at::autocast::is_autocast_cache_enabled());
}

TEST(Checkpoint, WithoutGradientsIsAPlainCall) {
  const at::Tensor x = leaf({3});
  int calls = 0;
  const auto part = [&](const at::Tensor& h) {
    ++calls;
    return h * 2;
  };
  {
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(checkpoint(part, x).requires_grad());
  }
  EXPECT_FALSE(checkpoint(part, x.detach()).requires_grad());
  EXPECT_EQ(calls, 2);
}

TEST(Checkpoint, KeepsNothingInside) {
  const at::Tensor x = leaf({3});
  c10::weak_intrusive_ptr<c10::TensorImpl> inside(
      at::empty({1}).getIntrusivePtr());
  const at::Tensor output = checkpoint(
      [&](const at::Tensor& h) {
        const at::Tensor middle = h.exp();
        inside = middle.getIntrusivePtr();
        return middle.sin();
      },
      x);
  EXPECT_TRUE(inside.expired());
  output.sum().backward();
  EXPECT_TRUE(inside.expired());
}

TEST(Checkpoint, RefusesWhatItCannotDo) {
  const at::Tensor x = leaf({3});
  const auto square = [](const at::Tensor& h) { return h * h; };
  const auto create_graph = [&] {
    checkpoint(square, x).sum().backward({}, true, /*create_graph=*/true);
  };
  EXPECT_THAT(
      create_graph,
      ThrowsMessage<ConfigError>(HasSubstr("create_graph is on")));
  const at::Tensor output = checkpoint(square, x).sum();
  output.backward();
  EXPECT_ANY_THROW(output.backward());
  bool changed = false;
  const at::Tensor other = checkpoint(
      [&](const at::Tensor& h) { return changed ? h.narrow(0, 0, 2) : h * 2; },
      x);
  changed = true;
  EXPECT_THAT(
      [&] { other.sum().backward(); },
      ThrowsMessage<ConfigError>(HasSubstr("other shapes than the first")));
}

TEST(Checkpoint, NoticesInputsThatWereChanged) {
  const at::Tensor x = leaf({3});
  const at::Tensor input = x * 1;
  const at::Tensor output =
      checkpoint([](const at::Tensor& h) { return h.exp(); }, input);
  input.detach().add_(1);
  EXPECT_THROW(output.sum().backward(), c10::Error);
}

TEST(Checkpoint, PassesErrorsAndPutsTheGeneratorBack) {
  const at::Tensor x = leaf({3});
  bool fails = false;
  const at::Tensor output = checkpoint(
      [&](const at::Tensor& h) {
        if (fails) {
          throw std::runtime_error("from inside");
        }
        return at::dropout(h, 0.5, true);
      },
      x);
  fails = true;
  set_seed(5);
  const at::Tensor expected = at::rand({2});
  set_seed(5);
  EXPECT_THROW(output.sum().backward(), std::runtime_error);
  EXPECT_TRUE(at::equal(at::rand({2}), expected));
}

} // namespace
} // namespace accelerate
