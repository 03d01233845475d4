// tests/unit/inspect/python_environment_test.cpp: environments made of files.
#include "accelerate/inspect/python_environment.h"

#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>

namespace accelerate::inspect {
namespace {

namespace fs = std::filesystem;

class FakeEnvironment : public ::testing::Test {
 protected:
  void add(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  test::TempDir root_;
};

TEST_F(FakeEnvironment, IsFoundFromItsInterpreter) {
  add("env/bin/python3", "");
  add("env/pyvenv.cfg", "home = /usr/bin\nversion = 3.12.1\n");
  add("env/lib/python3.12/site-packages/torch/version.py",
      "debug = False\n__version__ = '2.13.0+cu126'\n"
      "cuda: Optional[str] = '12.6'\nhip: Optional[str] = None\n");
  add("env/lib/python3.12/site-packages/numpy-2.4.6.dist-info/METADATA", "");
  add("env/lib/python3.12/site-packages/numpydoc-1.0.dist-info/METADATA", "");
  const auto python = inspect_python(root_ / "env/bin/python3");
  EXPECT_EQ(python.version, "3.12.1");
  EXPECT_EQ(python.torch, root_ / "env/lib/python3.12/site-packages/torch");
  EXPECT_EQ(python.torch_version, "2.13.0+cu126");
  EXPECT_EQ(python.torch_cuda, "12.6");
  EXPECT_EQ(python.numpy_version, "2.4.6");
}

TEST_F(FakeEnvironment, FollowsALinkWhereThereIsNoEnvironment) {
  add("real/bin/python3.11", "");
  add("real/lib/python3.11/site-packages/torch/version.py",
      "__version__ = '2.11.0'\ncuda: Optional[str] = None\n");
  fs::create_directories(root_ / "links/bin");
  fs::create_symlink(
      root_ / "real/bin/python3.11", root_ / "links/bin/python3");
  const auto python = inspect_python(root_ / "links/bin/python3");
  EXPECT_EQ(python.version, "3.11");
  EXPECT_EQ(python.torch_version, "2.11.0");
  EXPECT_EQ(python.torch_cuda, "");
}

TEST_F(FakeEnvironment, MayLackEverything) {
  EXPECT_EQ(inspect_python("").version, "");
  const auto python = inspect_python(root_ / "bin/python3");
  EXPECT_EQ(python.interpreter, root_ / "bin/python3");
  EXPECT_EQ(python.version, "");
  EXPECT_EQ(python.torch_version, "");
}

TEST_F(FakeEnvironment, OfLibtorchAloneHasAVersionFile) {
  EXPECT_EQ(libtorch_version(root_.path()), "");
  add("build-version", "2.13.0+cpu\n");
  EXPECT_EQ(libtorch_version(root_.path()), "2.13.0+cpu");
}

} // namespace
} // namespace accelerate::inspect
