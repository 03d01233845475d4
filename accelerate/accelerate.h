// accelerate/accelerate.h: the engine in one include, for programs.
#pragma once

#include "accelerate/accelerator.h"
#include "accelerate/data/collate.h"
#include "accelerate/data/load_dataset.h"
#include "accelerate/data/loader.h"
#include "accelerate/optim/adam.h"
#include "accelerate/optim/scheduler.h"
#include "accelerate/optim/sgd.h"
#include "accelerate/progress.h"
#include "accelerate/state/seed.h"
#include "accelerate/version.h"
