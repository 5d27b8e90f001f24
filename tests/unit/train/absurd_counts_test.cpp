#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "refused_memory.hpp"

using namespace softscore;

namespace {

// Read from memory, because GCC warns of loops whose count it knows to be absurd.
const volatile std::size_t most = std::numeric_limits<std::size_t>::max();
const std::size_t absurd = most;
constexpr std::size_t petabytes = std::size_t{1} << 50;

const corruption noising{identity{}, variance_exploding{}};

}  // namespace

TEST_CASE("Counts beyond any memory end in a sentence, whichever function is given them") {
  serial_backend be;
  CHECK_REFUSED(linear_beta{absurd}, "steps is 18446744073709551615");
  CHECK_REFUSED(scaled_linear_beta{absurd}, "steps is 18446744073709551615");
  CHECK_REFUSED(cosine_beta{absurd}, "steps is 18446744073709551615");
  CHECK_REFUSED(sigmoid_beta{absurd}, "steps is 18446744073709551615");
  CHECK_REFUSED(uniform_grid(absurd), "steps is 18446744073709551615");
  CHECK_REFUSED(trailing_indices(absurd, absurd), "steps is 18446744073709551615");
  CHECK_REFUSED(karras_sigmas(absurd, 0.01, 80.0), "count is 18446744073709551615");
  CHECK_REFUSED(even_levels(absurd, 0.0, 1.0), "number of candidate levels is 18446744073709551615");
  CHECK_REFUSED(geometric_levels(absurd, 0.1, 1.0), "number of candidate levels is 18446744073709551615");
  CHECK_REFUSED(eraser(28, 28, absurd), "severities x height x width is 18446744073709551615 x 28 x 28");
  CHECK_REFUSED(eraser(absurd, absurd), "severities x height x width is 100 x 18446744073709551615 x");
  CHECK_REFUSED(stroke_digits(absurd, 1), "the number of stroke digits is 18446744073709551615");
  CHECK_REFUSED(stroke_digits(2, 1, 12, absurd), "the number of the first stroke digit is 18446744073709551615");
  const row_matrix<double> points = row_matrix<double>::Ones(3, 2);
  CHECK_REFUSED(sliced_wasserstein(points, points, absurd), "directions is 18446744073709551615");
  const residual_denoiser denoiser{plain_cnn{{2}, {1, 1, 12, 12}}};
  CHECK_REFUSED(sample(be, euler{}, noising, denoiser, uniform_grid(4), {.images = absurd}),
                "number of bytes of an array is 18446744073709551615 x 1 x 12 x 12 x 4");
  const std::vector<float> few(64);
  const view<const float, host_space> images{few.data(), {1, 1, 8, 8}};
  auto trained = residual_denoiser{plain_cnn{{2}, {1, 1, 8, 8}}};
  const training_options options{.epochs = absurd, .batch_size = 1};
  CHECK_REFUSED((trainer{be, noising, trained, naive_loss{}, images, options}), "epochs x steps of an epoch is ");
}

TEST_CASE("Counts beyond this machine's memory end in a sentence with the bytes") {
  if (!memory_can_be_refused) return;
  serial_backend be;
  CHECK_REFUSED(linear_beta{petabytes}, "memory for steps is 9007199254740992 bytes");
  CHECK_REFUSED(karras_sigmas(petabytes, 0.01, 80.0), "memory for count is 9007199254740992 bytes");
  const residual_denoiser denoiser{plain_cnn{{2}, {1, 1, 16, 16}}};
  CHECK_REFUSED(sample(be, euler{}, noising, denoiser, uniform_grid(4), {.images = petabytes / 1024}),
                "memory for a tensor is 1125899906842624 bytes");
}
