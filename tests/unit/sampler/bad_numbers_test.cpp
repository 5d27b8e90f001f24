// Numbers that would fill images with NaN without a word: each is refused in one sentence before work starts.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/log_snr.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/sigmoid.hpp>
#include <softscore/corruption/simultaneous.hpp>
#include <softscore/corruption/spacing.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/classifier_guided.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/color_removal.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/operator/side_by_side.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/mala.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/predictor_corrector.hpp>

#include "refusal.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
const double no_number = std::nan("");
const shape image{1, 1, 2, 3};

observation seen() { return {image, std::vector<double>(6, 0.5)}; }
measurement<fade> faded(double at = 0.5, double sigma = 0.1) { return {fade{}, level{at}, sigma}; }
variance_exploding up_to(double level_max) { return {.sigma_min = 0.1, .sigma_max = 1.0, .level_max = level_max}; }

}  // namespace

TEST_CASE("samplers refuse numbers that are not finite", "[sampler]") {
  CHECK_REFUSED(ula{infinite}, "length is inf, but it must be above 0 and finite");
  CHECK_REFUSED(ula{no_number}, "length is nan, but it must be above 0 and finite");
  CHECK_REFUSED(mala{infinite}, "length is inf, but it must be above 0 and finite");
  CHECK_REFUSED(fixed_length{infinite}, "length is inf, but it must be above 0 and finite");
  CHECK_REFUSED(snr_length{infinite}, "snr is inf, but it must be above 0 and finite");
  CHECK_REFUSED((edm_heun{1.0, 0.0, 1.0, infinite}), "noise is inf, but it must be at least 0 and finite");
  CHECK_REFUSED((dormand_prince{infinite, 1e-5}), "relative is inf, but it must be above 0 and finite");
  CHECK_REFUSED((dormand_prince{1e-5, infinite}), "absolute is inf, but it must be above 0 and finite");
  CHECK_REFUSED((dps{faded(), seen(), infinite}), "zeta is inf, but it must be at least 0 and finite");
  CHECK_REFUSED((dps{faded(), seen(), no_number}), "zeta is nan, but it must be at least 0 and finite");
  CHECK_REFUSED((diffpir{faded(), seen(), infinite}), "lambda is inf, but it must be at least 0 and finite");
  CHECK_REFUSED((pigdm{faded(), seen(), infinite}), "data_variance is inf, but it must be above 0 and finite");
}

TEST_CASE("measurements refuse a level that their operator does not have, and numbers that are not finite",
          "[sampler]") {
  CHECK_REFUSED((dps{faded(5.0), seen()}), "level of the operator is 5, but it must be between 0 and 1");
  CHECK_REFUSED((dps{faded(infinite), seen()}),
                "level of the measurement is inf, but it must be at least 0 and finite");
  CHECK_REFUSED((dps{faded(0.5, infinite), seen()}),
                "sigma of the measurement is inf, but it must be at least 0 and finite");
}

TEST_CASE("guidance and thresholds refuse numbers that are not finite", "[sampler]") {
  const steady_denoiser d;
  CHECK_REFUSED((classifier_free{d, d, no_number}), "scale is nan, but it must be finite");
  const corruption noise{scaling{}, variance_preserving{}};
  CHECK_REFUSED((classifier_guided{d, noise, detail::archetype_classifier{}, infinite}),
                "scale is inf, but it must be finite");
  CHECK_REFUSED((static_thresholding{d, {no_number, 1.0}}),
                "lower end of the pixels' range is nan, but it must be below");
  CHECK_REFUSED((dynamic_thresholding{d, 99.5, {-infinite, 1.0}}),
                "lower end of the pixels' range is -inf, but it must be below the upper end, both finite");
  CHECK_REFUSED((static_thresholding{d, {0.0, no_number}}), "upper end of the pixels' range is nan, but it must be");
}

TEST_CASE("schedules refuse numbers that cannot be", "[sampler]") {
  CHECK_REFUSED((corruption{scaling{}, variance_preserving{.rate_first = -1}}),
                "rate_first is -1, but it must be at least 0 and finite");
  CHECK_REFUSED((corruption{scaling{}, variance_preserving{.rate_last = no_number}}),
                "rate_last is nan, but it must be");
  CHECK_REFUSED((corruption{scaling{}, variance_preserving{.rate_first = 0, .rate_last = 0}}),
                "rate_last is 0, but it must be at least 0, finite, and not 0 if rate_first is");
  CHECK_REFUSED((corruption{fade{}, up_to(infinite)}), "level_max is inf, but it must be at least 0 and finite");
  // The bound is at fault, not what would have to be below it.
  CHECK_REFUSED((corruption{identity{}, variance_exploding{.sigma_max = no_number}}),
                "sigma_max is nan, but it must be");
  CHECK_REFUSED((corruption{fade{}, two_stage{.sigma_max = no_number}}), "sigma_max is nan, but it must be finite");
  CHECK_REFUSED((corruption{fade{}, two_stage{.level_max = no_number}}), "level_max is nan, but it must be finite");
  CHECK_REFUSED(simultaneous{.level_max = no_number}.check(), "level_max is nan, but it must be finite");
  CHECK_REFUSED(karras_sigma{.sigma_max = no_number}.check(), "sigma_max is nan, but it must be finite");
  CHECK_REFUSED(sigmoid_gain{.end = no_number}.check(), "end is nan, but it must be finite");
  CHECK_REFUSED(linear_log_snr{.most = no_number}.check(), "most is nan, but it must be finite");
  CHECK_REFUSED(log_snr_grid(corruption{scaling{}, variance_preserving{}}, 5, 1.5),
                "from is 1.5, but it must be at most");
  CHECK_REFUSED((corruption{scaling{}, variance_exploding{.sigma_max = infinite}}),
                "sigma_max is inf, but it must be finite");
  CHECK_REFUSED((corruption{scaling{}, two_stage{.sigma_max = infinite}}), "sigma_max is inf, but it must be finite");
  CHECK_REFUSED((corruption{scaling{}, simultaneous{.level_max = infinite}}),
                "level_max is inf, but it must be finite");
  CHECK_REFUSED((corruption{scaling{}, sigmoid_gain{.temperature = infinite}}),
                "temperature is inf, but it must be above 0 and finite");
  const auto over_background = [](double level_max, double range, double grain) {
    background_corruption{fade{}, severity{level_max}, range, grain};
  };
  CHECK_REFUSED(over_background(no_number, 0.5, 0.0), "level_max is nan, but it must be at least 0 and finite");
  CHECK_REFUSED(over_background(1.0, infinite, 0.0), "range is inf, but it must be at least 0 and finite");
  CHECK_REFUSED(over_background(1.0, 0.5, no_number), "grain is nan, but it must be at least 0 and finite");
}

TEST_CASE("a corruption refuses levels that its operator does not have", "[sampler]") {
  const auto sentence = "level of the operator is 5, but it must be between 0 and 1";
  CHECK_REFUSED((corruption{fade{}, up_to(5.0)}), sentence);
  CHECK_REFUSED((corruption{color_removal{}, up_to(5.0)}), sentence);
  CHECK_REFUSED((corruption{fade{} * scaling{}, up_to(5.0)}), sentence);
  CHECK_REFUSED((corruption{scaling{} * fade{}, up_to(5.0)}), sentence);
  CHECK_REFUSED((corruption{paced{fade{}, 2.5}, up_to(2.0)}), sentence);
  CHECK_REFUSED((corruption{side_by_side{scaling{}, fade{}}, up_to(5.0)}), sentence);
  CHECK_REFUSED((background_corruption{fade{}, severity{5.0}}), sentence);
  // Where the image is a number times itself, any level is one.
  CHECK_NOTHROW(corruption{scaling{}, up_to(5.0)});
  CHECK_NOTHROW(corruption{paced{fade{}, 0.2}, up_to(5.0)});
}

TEST_CASE("a background that is not finite is refused", "[sampler]") {
  serial_backend be;
  const background_corruption erasing{eraser{2, 3, 20}, severity{20.0}};
  start_point<serial_backend, float> from{be.make<float>(image), be.make<float>(image), {0, 1}};
  from.xi.view()[4] = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(integrate(be, cold{}, erasing, steady_denoiser{}, uniform_grid(3), std::move(from), 0),
                "size of xi in the start point is nan, but it must be finite");
}
