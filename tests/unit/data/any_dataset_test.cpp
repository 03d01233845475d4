// tests/unit/data/any_dataset_test.cpp
#include "accelerate/data/any_dataset.h"

#include <optional>

#include <ATen/ops/full.h>
#include <torch/data/datasets/map.h>
#include <torch/data/datasets/tensor.h>
#include <torch/data/samplers/distributed.h>
#include <torch/data/transforms/lambda.h>
#include <torch/data/transforms/stack.h>

#include "accelerate/data/loader.h"
#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

at::Tensor scalar(std::size_t index) {
  return at::full({}, static_cast<double>(index));
}

struct Examples {
  std::size_t size() const {
    return 4;
  }
  Example get(std::size_t index) const {
    if (index == 2) {
      throw std::runtime_error("no such image");
    }
    return {{"id", index}};
  }
};
struct Tensors {
  int size() const {
    return 3;
  }
  at::Tensor get(std::uint64_t index) const {
    return scalar(index);
  }
};
struct Pairs {
  std::size_t size() const {
    return 3;
  }
  std::pair<at::Tensor, at::Tensor> get(std::size_t index) const {
    return {scalar(index), scalar(index + 10)};
  }
};
struct Batches {
  std::size_t size() const {
    return 3;
  }
  Batch get(std::size_t index) const {
    return {{"x", scalar(index)}};
  }
};
struct Endless {
  std::optional<std::size_t> size() const {
    return std::nullopt;
  }
  at::Tensor get(std::size_t index) {
    return scalar(index);
  }
};
/// Neither const nor copyable.
struct Stream {
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream(Stream&&) = default;
  std::size_t size() {
    return 2;
  }
  at::Tensor get(std::size_t index) {
    return scalar(index + reads++ * 0);
  }
  std::size_t reads = 0;
};

/// As users of torch::data write them.
struct Digits : torch::data::datasets::Dataset<Digits> {
  torch::data::Example<> get(std::size_t index) override {
    if (index == 3) {
      throw std::runtime_error("no such digit");
    }
    return {scalar(index), scalar(index + 10)};
  }
  std::optional<std::size_t> size() const override {
    return 4;
  }
};
auto twice() {
  return torch::data::transforms::Lambda<torch::data::Example<>>(
      [](torch::data::Example<> example) {
        return torch::data::Example<>(example.data * 2, example.target);
      });
}

// What samplers of torch::data are told apart by; they do not compile.
static_assert(
    detail::TorchSampler<torch::data::samplers::DistributedRandomSampler>);
static_assert(
    detail::TorchSampler<torch::data::samplers::DistributedSequentialSampler&>);
static_assert(!detail::TorchSampler<std::shared_ptr<RandomSampler>>);

// A type without get is no dataset, and the compiler says so at the loader.
static_assert(!MapStyleDataset<std::vector<int>>);
static_assert(MapStyleDataset<Examples> && MapStyleDataset<Endless>);
static_assert(MapStyleDataset<torch::data::datasets::TensorDataset>);

TEST(AnyDataset, NamesTheSampleThatFailed) {
  const AnyDataset dataset = Examples();
  const std::string message = message_of<ConfigError>([&] {
    (void)dataset.collate(Ints{0, 2}, stack());
  });
  EXPECT_THAT(message, HasSubstr("[data.loader] sample 2: no such image"));
  try {
    (void)dataset.collate(Ints{2}, stack());
  } catch (const ConfigError& error) {
    EXPECT_THROW(std::rethrow_if_nested(error), std::runtime_error);
  }
}

TEST(AnyDataset, NamesTheSamplesOfAFailedCollate) {
  const Collate fail = [](std::span<const Example>) -> Batch {
    throw std::runtime_error("odd sizes");
  };
  const AnyDataset user = Pairs();
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)user.collate(Ints{2, 1}, fail);
      }),
      HasSubstr("collate of samples 2, 1: odd sizes"));
  const AnyDataset table = Dataset(Table({{"id", Column::of(Ints(20))}}));
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)table.collate(Ints(20, 7), fail); }),
      HasSubstr("collate of samples 7, 7, 7, 7, 7, 7, 7, 7, …: odd sizes"));
}

TEST(AnyDataset, RefusesAnUnknownSizeAndIndicesOutOfRange) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)AnyDataset(Endless()).size(); }),
      HasSubstr("does not know its size"));
  EXPECT_THAT(
      message_of<ConfigError>(
          [] { (void)AnyDataset(Pairs()).collate(Ints{3}, stack()); }),
      HasSubstr("the sampler gave sample 3 of a dataset with 3 samples"));
}

TEST(AnyDataset, NamesTheTensorsOfEveryKindOfSample) {
  const Ints two{1, 2};
  const Batch tensors = AnyDataset(Tensors()).collate(two, stack());
  EXPECT_EQ(tensors["data"].sizes(), at::IntArrayRef({2}));
  const Batch pairs = AnyDataset(Pairs()).collate(two, stack());
  EXPECT_EQ(pairs["data"][1].item<double>(), 2);
  EXPECT_EQ(pairs["target"][1].item<double>(), 12);
  EXPECT_EQ(
      AnyDataset(Batches()).collate(two, stack())["x"][0].item<double>(), 1);
  EXPECT_EQ(
      AnyDataset(Examples()).collate(Ints{3}, stack())["id"].item<int>(), 3);
}

TEST(AnyDataset, ReadsDatasetsOfTorchData) {
  torch::data::datasets::TensorDataset tensors(at::full({5, 2}, 3.0));
  const AnyDataset dataset = tensors;
  EXPECT_EQ(dataset.size(), 5);
  const Batch batch = dataset.for_thread().collate(Ints{0, 4}, stack());
  EXPECT_EQ(batch["data"].sizes(), at::IntArrayRef({2, 2}));
  EXPECT_FALSE(batch.contains("target"));
}

TEST(AnyDataset, ReadsMappedDatasetsOfTorchData) {
  const AnyDataset samples = Digits().map(twice());
  const AnyDataset stacked =
      Digits().map(twice()).map(torch::data::transforms::Stack<>());
  for (const AnyDataset& dataset : {samples, stacked}) {
    EXPECT_EQ(dataset.size(), 4);
    const Batch batch = dataset.for_thread().collate(Ints{2, 1}, stack());
    EXPECT_EQ(batch["data"].sizes(), at::IntArrayRef({2}));
    EXPECT_EQ(batch["data"][0].item<double>(), 4);
    EXPECT_EQ(batch["target"][1].item<double>(), 11);
    EXPECT_THAT(
        message_of<ConfigError>([&] {
          (void)dataset.collate(Ints{1, 3}, stack());
        }),
        HasSubstr("collate of samples 1, 3: no such digit"));
  }
  const Collate own = [](std::span<const Example>) { return Batch(); };
  EXPECT_TRUE(samples.collate(Ints{0}, own).empty());
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)stacked.collate(Ints{0}, own); }),
      HasSubstr("the dataset gives whole batches"));
}

TEST(AnyDataset, RefersToAnLvalueAndOwnsAnRvalue) {
  Stream stream;
  const AnyDataset reference = stream;
  (void)reference.for_thread().collate(Ints{0, 1}, stack());
  EXPECT_EQ(stream.reads, 2U); // cannot be copied, so threads take turns
  const AnyDataset owned = Stream();
  EXPECT_EQ(owned.collate(Ints{1}, stack())["data"].item<double>(), 1);
}

TEST(AnyDataset, FollowsTheOrderOfADatasetView) {
  const Dataset dataset(Table({{"id", Column::of(Ints{10, 11, 12, 13})}}));
  const AnyDataset view = dataset.select({3, 1}).slice(0, 2);
  const Batch batch = view.collate(Ints{1, 0}, stack());
  EXPECT_EQ(batch["id"][0].item<std::int64_t>(), 11);
  EXPECT_EQ(batch["id"][1].item<std::int64_t>(), 13);
}

} // namespace
} // namespace accelerate
