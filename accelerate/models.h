// accelerate/models.h: tokenizers and models in one include, for programs.
#pragma once

#include "accelerate/models/auto_model.h"
#include "accelerate/text/column_encoder.h"
#include "accelerate/text/pad_to_longest.h"
#include "accelerate/text/tokenizer.h"
