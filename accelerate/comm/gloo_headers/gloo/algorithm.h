// gloo/algorithm.h: included by c10d's ProcessGroupGloo.hpp, which uses nothing
// from it. The wheels carry that header but none of Gloo's own; the five files
// of this folder declare the few names that it needs to compile. Our code only
// passes pointers to these types through; every definition is in libtorch.
#pragma once
