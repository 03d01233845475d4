// tests/unit/prepare/model_core_test.cpp: a world of one; tests/dist has the
// others.
#include "accelerate/prepare/model_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/cuda.h>
#include <torch/nn.h>

namespace accelerate {
namespace {

struct TiedNet : torch::nn::Module {
  TiedNet() {
    encoder = register_module("encoder", torch::nn::Linear(2, 3));
    norm = register_module("norm", torch::nn::BatchNorm1d(3));
    tied = register_parameter("tied", encoder->weight);
  }
  torch::nn::Linear encoder{nullptr};
  torch::nn::BatchNorm1d norm{nullptr};
  at::Tensor tied;
};

TEST(ModelCore, SeesParametersAndBuffersWithDottedNames) {
  const TiedNet net;
  const ModelTensors tensors = tensors_of_module(net);
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors.parameters) {
    names.push_back(named.name);
  }
  EXPECT_THAT(
      names,
      testing::UnorderedElementsAre(
          "tied",
          "encoder.weight",
          "encoder.bias",
          "norm.weight",
          "norm.bias"));
  EXPECT_EQ(tensors.buffers.size(), 3U); // mean, variance, batches seen
}

TEST(ModelCore, KnowsItsParametersByIdentityNotByValue) {
  const TiedNet net;
  const ModelCore core(tensors_of_module(net), ProcessGroup(), {});
  EXPECT_TRUE(core.owns_parameter(net.tied));
  EXPECT_TRUE(core.owns_parameter(net.encoder->bias));
  EXPECT_FALSE(core.owns_parameter(net.encoder->bias.detach().clone()));
  EXPECT_TRUE(core.has_same_tensors(tensors_of_module(net)));
  EXPECT_FALSE(core.has_same_tensors(tensors_of_module(TiedNet())));
}

TEST(ModelCore, ModelsWithoutAnyTensorAreNeverTheSame) {
  const ModelCore core({}, ProcessGroup(), {});
  EXPECT_FALSE(core.has_same_tensors({}));
}

TEST(ModelCore, MovingToADeviceKeepsTheIdentityOfEveryTensor) {
  if (!torch::cuda::is_available()) {
    GTEST_SKIP() << "needs: cuda";
  }
  const TiedNet net;
  const ModelTensors tensors = tensors_of_module(net);
  const at::Tensor weight = net.encoder->weight;
  move_to_device(tensors, c10::Device("cuda:0"));
  EXPECT_TRUE(net.encoder->weight.is_cuda());
  EXPECT_TRUE(net.encoder->weight.is_same(weight));
  EXPECT_TRUE(net.tied.is_same(net.encoder->weight));
}

TEST(ModelCore, HasNoActiveReducerInAWorldOfOne) {
  const TiedNet net;
  ModelCore core(
      tensors_of_module(net), ProcessGroup(), {.find_unused_parameters = true});
  EXPECT_FALSE(core.reducer().is_active());
  EXPECT_FALSE(core.needs_outputs());
}

} // namespace
} // namespace accelerate
