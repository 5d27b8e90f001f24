#pragma once

#include "common/any_denoiser.hpp"
#include "model.hpp"

namespace digits {

/// A model's denoiser as a separate type; the model must outlive it.
struct any_denoiser : common::any_denoiser {
  explicit any_denoiser(const model& made)
      : common::any_denoiser{
            [&made](softscore::tbb_backend& be, const softscore::shape& most) { return made.denoiser(be, most); }} {}
};

}  // namespace digits
