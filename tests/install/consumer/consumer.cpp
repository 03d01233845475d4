// consumer.cpp: a program outside the project, through the public headers.
#include <accelerate/accelerate.h>

#include <iostream>

#include <ATen/ops/ones.h>

int main() {
  accelerate::Accelerator accelerator;
  const auto sum = accelerator.reduce(at::ones({2}));
  std::cout << "accelerate " << ACCELERATE_VERSION_STRING << ": "
            << sum.sum().item<double>() / accelerator.num_processes() << '\n';
}
