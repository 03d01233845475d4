// gloo/common/error.h: included by c10d's ProcessGroupGloo.hpp, which uses
// nothing from it.
#pragma once
