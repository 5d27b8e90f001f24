// What the options of training do to the parameters: parts of a batch, frozen parameters, weight decay, schedules of
// the rate, averages; and how they travel in a checkpoint.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "labelled_network.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"
#include "worse.hpp"

using namespace softscore;

namespace {

const corruption noise{scaling{}, linear_beta{100}};

const labeled_images& few_digits() {
  static const labeled_images digits = stroke_digits(64, 1, 12);
  return digits;
}
auto small() { return epsilon_denoiser{plain_cnn{{8, 4}, {1, 1, 12, 12}}, noise}; }
auto labelled() { return epsilon_denoiser{labelled_network{{1, 1, 12, 12}, 10, 0.25}, noise}; }

training_options options() {
  return {.epochs = 3, .batch_size = 16, .seed = 9, .learning_rate = 1e-3, .max_grad_norm = 1.0, .warmup_steps = 2};
}
// Everything that is drawn for a batch.
training_options drawn_options() {
  auto all = options();
  all.ema = half_life_ema(100, 0.5);
  all.weight_decay = 0.1;
  all.learning_rate_decay = rate_decay::cosine;
  all.times = {.stratified = true};
  all.random_flip = true;
  all.label_dropout = 0.3;
  return all;
}

template <class Be, class D>
auto trainer_of(Be& be, D& denoiser, const training_options& with) {
  return trainer<Be, decltype(noise), D, epsilon_loss>{
      be, noise, denoiser, epsilon_loss{}, as_view(few_digits().pixels), with, few_digits().given()};
}

// The state after `steps` steps.
template <class Be, class D>
training_state after(Be& be, D denoiser, const training_options& with, std::size_t steps) {
  auto work = trainer_of(be, denoiser, with);
  while (work.done() < steps) work.step();
  return work.state();
}

// The largest difference within any named array, as a share of the array's largest number.
double array_error(const parameter_layout& layout, const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0.0;
  for (const parameter& p : layout) {
    double most = 0.0, apart = 0.0;
    for (std::size_t i = p.offset; i < p.offset + p.size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(a[i])));
      apart = worse(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    worst = worse(worst, apart / most);
  }
  return worst;
}

void check_same(const training_state& a, const training_state& b) {
  CHECK((a.parameters == b.parameters));
  CHECK((a.average == b.average));
  CHECK((a.first_moment == b.first_moment));
  CHECK((a.second_moment == b.second_moment));
  CHECK(a.losses == b.losses);
}

}  // namespace

TEMPLATE_TEST_CASE("A batch in parts has the gradient and the loss of the whole", "[train]", serial_backend,
                   tbb_backend) {
  TestType be;
  const auto check = [&](const auto& denoiser, training_options with) {
    with.warmup_steps = 0;
    with.max_grad_norm = std::numeric_limits<double>::infinity();
    const auto whole = after(be, denoiser, with, 1);
    for (const std::size_t parts : {2u, 4u, 16u}) {
      CAPTURE(parts);
      with.accumulate = parts;
      const auto split = after(be, denoiser, with, 1);
      // The mean loss is summed image by image in double; its images have the same bits for any split.
      CHECK(split.losses == whole.losses);
      // The first moment after one step is a tenth of the gradient.
      CHECK(array_error(denoiser.network().layout(), whole.first_moment, split.first_moment) < 1e-6);
    }
  };
  check(labelled(), drawn_options());
  check(small(), options());
}

TEST_CASE("A batch in parts leaves the same bits on 1, 2 and 3 threads", "[train]") {
  std::vector<training_state> ends;
  for (const std::size_t threads : {1u, 2u, 3u}) {
    tbb_backend be{threads};
    auto with = options();
    with.accumulate = 4;
    with.random_flip = true;
    with.weight_decay = 0.01;
    ends.push_back(after(be, small(), with, 6));
  }
  check_same(ends[1], ends[0]);
  check_same(ends[2], ends[0]);
}

TEST_CASE("A run with parts, dropout, flips and hidden labels continues to the same bits from any step", "[train]") {
  serial_backend be;
  const temporary_folder folder;
  for (const std::size_t parts : {1u, 4u}) {
    auto with = drawn_options();
    with.accumulate = parts;
    auto whole = labelled();
    auto through = trainer_of(be, whole, with);
    std::vector<training_state> states;
    while (through.done() < through.steps()) {
      states.push_back(through.state());
      through.step();
    }
    const auto& layout = whole.network().layout();
    for (const auto& state : states) {
      const auto file = folder / "c.safetensors";
      write_checkpoint(file, layout, state, settings_of(with));
      const safetensors_file saved{file};
      auto again = labelled();
      auto rest = trainer_of(be, again, read_training_options(saved));
      rest.restore(read_checkpoint(saved, layout));
      while (rest.done() < rest.steps()) rest.step();
      check_same(rest.state(), through.state());
    }
  }
}

TEST_CASE("Frozen parameters, their moments and their averages stay as they were", "[train]") {
  serial_backend be;
  auto with = options();
  with.ema_decay = 0.9;
  with.weight_decay = 0.1;
  with.max_grad_norm = 0.01;
  with.warmup_steps = 0;
  with.frozen = {"blocks.0.", "time"};
  auto denoiser = small();
  denoiser.network().initialize(3);
  const std::vector<float> start(denoiser.network().parameters().begin(), denoiser.network().parameters().end());
  for (const std::size_t steps : {1u, 4u}) {
    const auto end = after(be, denoiser, with, steps);
    std::size_t frozen = 0;
    double square = 0.0;
    for (const parameter& p : denoiser.network().layout()) {
      const bool stays = p.name.starts_with("blocks.0.") || p.name.starts_with("time");
      frozen += stays ? 1u : 0u;
      CAPTURE(p.name);
      bool moved = false, moments = false, followed = false;
      for (std::size_t i = p.offset; i < p.offset + p.size(); ++i) {
        moved = moved || end.parameters[i] != start[i];
        followed = followed || end.average[i] != start[i];
        moments = moments || end.first_moment[i] != 0.0f || end.second_moment[i] != 0.0f;
        square += 100.0 * static_cast<double>(end.first_moment[i]) * static_cast<double>(end.first_moment[i]);
      }
      CHECK(moved == !stays);
      CHECK(followed == !stays);
      CHECK(moments == !stays);
    }
    CHECK(frozen == 12);
    // Clipping sees the others alone: after one step they have a tenth of a gradient of the largest norm, with 1e-6 in
    // the denominator of the factor.
    if (steps == 1) CHECK(std::sqrt(square) == Approx(0.01).epsilon(2e-4));
  }
}

TEST_CASE("Parameters that a network never trains stay without being named", "[train]") {
  unet_config config;
  config.in_channels = config.out_channels = 1;
  config.height = config.width = 12;
  config.block_out_channels = {4};
  config.down_blocks = config.up_blocks = {unet_block::plain};
  config.layers_per_block = 1;
  config.norm_num_groups = 2;
  config.add_attention = false;
  config.time_embedding = unet_time::fourier;
  epsilon_denoiser denoiser{unet<sigma>{config}, noise};
  denoiser.network().initialize(3);
  const std::vector<float> start(denoiser.network().parameters().begin(), denoiser.network().parameters().end());
  auto with = options();
  with.weight_decay = 0.1;
  with.warmup_steps = 0;
  serial_backend be;
  const auto end = after(be, denoiser, with, 2);
  for (const parameter& p : denoiser.network().layout()) {
    CAPTURE(p.name);
    const auto begin = end.parameters.begin() + static_cast<std::ptrdiff_t>(p.offset);
    CHECK(std::equal(begin, begin + static_cast<std::ptrdiff_t>(p.size()),
                     start.begin() + static_cast<std::ptrdiff_t>(p.offset)) == (p.name == "time_proj.weight"));
  }
}

TEST_CASE("Freezing changes nothing of the step of the others", "[train]") {
  serial_backend be;
  auto with = options();
  with.max_grad_norm = std::numeric_limits<double>::infinity();
  const auto free = after(be, small(), with, 1);
  with.frozen = {"final"};
  const auto fixed = after(be, small(), with, 1);
  const auto network = small().network();
  for (const parameter& p : network.layout()) {
    const auto part = [&](const std::vector<float>& all) {
      return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(p.offset),
                                all.begin() + static_cast<std::ptrdiff_t>(p.offset + p.size()));
    };
    CHECK((part(free.parameters) == part(fixed.parameters)) == !p.name.starts_with("final"));
  }
}

TEST_CASE("Weight decay takes its share of the parameters at each step", "[train]") {
  serial_backend be;
  auto denoiser = small();
  denoiser.network().initialize(3);
  auto with = options();
  with.warmup_steps = 0;
  const auto plain = after(be, denoiser, with, 1);
  with.weight_decay = 5.0;
  const auto decayed = after(be, denoiser, with, 1);
  const auto start = denoiser.network().parameters();
  // Both take the same step of Adam; roundings of numbers below 2.
  for (std::size_t i = 0; i < start.size(); ++i)
    CHECK(std::abs(decayed.parameters[i] - (plain.parameters[i] - 0.001f * 5.0f * start[i])) < 4e-7f);
  CHECK((decayed.first_moment == plain.first_moment));
}

TEST_CASE("A rate that has decayed to 0 moves nothing", "[train]") {
  serial_backend be;
  for (const rate_decay form : {rate_decay::linear, rate_decay::cosine}) {
    auto with = options();
    with.weight_decay = 0.1;
    with.learning_rate_decay = form;
    const auto before = after(be, small(), with, 11), last = after(be, small(), with, 12);
    CHECK((before.parameters == last.parameters));
    with.end_factor = 0.5;
    CHECK((after(be, small(), with, 11).parameters != after(be, small(), with, 12).parameters));
    with.end_factor = 0.0;
    with.decay_steps = 4;
    CHECK((after(be, small(), with, 3).parameters != after(be, small(), with, 4).parameters) == false);
    CHECK((after(be, small(), with, 4).parameters == after(be, small(), with, 9).parameters));
  }
}

TEST_CASE("The average of a run follows its formula", "[train]") {
  serial_backend be;
  for (const auto& form :
       {warmed_ema(0.9), half_life_ema(40), half_life_ema(400, 0.5), inverse_gamma_ema(2.0, 0.75), power_ema(0.1)}) {
    auto with = options();
    with.ema = form;
    auto denoiser = small();
    auto work = trainer_of(be, denoiser, with);
    const auto start = work.state().parameters;
    std::vector<double> expected(start.begin(), start.end());
    for (std::uint64_t k = 1; k <= 6; ++k) {
      work.step();
      const auto now = work.state();
      const double keep = form.keep(k, 16);
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = keep * expected[i] + (1 - keep) * static_cast<double>(now.parameters[i]);
      double worst = 0.0;
      for (std::size_t i = 0; i < expected.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(now.average[i]) - expected[i]));
      // A few roundings of 2^-24 at each of six steps, of numbers of about 1.
      CHECK(worst < 2e-6);
    }
    work.finish();
    const auto given = denoiser.network().parameters();
    CHECK((std::vector<float>(given.begin(), given.end()) == work.state().average));
  }
  auto both = options(), same = options();
  both.ema = warmed_ema(0.9);
  same.ema_decay = 0.9;
  check_same(after(be, small(), both, 5), after(be, small(), same, 5));
}

TEST_CASE("Options come back from a checkpoint as they were", "[train]") {
  const temporary_folder folder;
  const auto file = folder / "c.safetensors";
  auto with = drawn_options();
  with.ema = inverse_gamma_ema(0.1, 2.0 / 3.0, 0.99995);
  with.decay_steps = 77;
  with.end_factor = 1.0 / 3.0;
  with.pixels = {2.0f, -1.0f};
  with.times = {1000, true};
  with.accumulate = 2;
  with.frozen = {"blocks.0.", "time"};
  with.max_grad_norm = std::numeric_limits<double>::infinity();
  const auto write = [&](const checkpoint_settings& settings) {
    const std::vector<named_tensor> none;
    write_safetensors(file, none, settings);
  };
  write(settings_of(with));
  CHECK(settings_of(read_training_options(safetensors_file{file})) == settings_of(with));
  CHECK(settings_of(with).at("max_grad_norm") == "inf");
  CHECK(settings_of(with).at("frozen") == "blocks.0.,time");
  write({});
  CHECK(settings_of(read_training_options(safetensors_file{file})) == settings_of({}));
  const auto refused = [&](const char* name, const char* value, const std::string& part) {
    auto wrong = settings_of(with);
    wrong[name] = value;
    write(wrong);
    CHECK_REFUSED(read_training_options(safetensors_file{file}), file.string() + ": " + part);
  };
  refused("epochs", "-1", "the option epochs is -1, but it must be a whole number");
  refused("weight_decay", "much", "the option weight_decay is much, but it must be a number");
  refused("random_flip", "1", "the option random_flip is 1, but it must be true or false");
  refused("learning_rate_decay", "step", "the option learning_rate_decay is step, but it must be constant, linear or");
  refused("label_dropout", "1.5", "label_dropout is 1.5, but it must be at least 0 and below 1");
}

TEST_CASE("train writes its options into the checkpoint", "[train]") {
  serial_backend be;
  const temporary_folder folder;
  auto with = options();
  with.weight_decay = 0.25;
  with.checkpoint = folder / "c.safetensors";
  auto denoiser = small();
  train(be, denoiser, noise, epsilon_loss{}, {few_digits(), {}}, with, no_training_observer{}, {},
        {{{"made_by", "a test"}, {"epochs", "many"}}, {}});
  const safetensors_file file{with.checkpoint};
  CHECK(file.metadata("made_by") == "a test");
  CHECK(file.metadata("epochs") == "many");
  CHECK(file.metadata("weight_decay") == "0.25");
}

TEST_CASE("Options that contradict each other or the network are refused in one sentence", "[train]") {
  serial_backend be;
  const auto with = [&](auto change) {
    auto wrong = options();
    change(wrong);
    auto denoiser = small();
    trainer_of(be, denoiser, wrong);
  };
  CHECK_REFUSED(with([](auto& o) { o.accumulate = 0; }), "accumulate is 0, but it must be at least 1");
  CHECK_REFUSED(with([](auto& o) { o.accumulate = 3; }), "accumulate is 3, but it must be a divisor of the batch size");
  CHECK_REFUSED(with([](auto& o) { o.label_dropout = 1.0; }),
                "label_dropout is 1, but it must be at least 0 and below");
  CHECK_REFUSED(with([](auto& o) { o.label_dropout = -0.1; }), "label_dropout is -0.1");
  CHECK_REFUSED(with([](auto& o) { o.label_dropout = 0.1; }),
                "label_dropout is 0.1, but it must be 0 for a network that takes no labels");
  CHECK_REFUSED(with([](auto& o) { o.weight_decay = -1.0; }), "weight_decay is -1");
  CHECK_REFUSED(with([](auto& o) { o.end_factor = std::nan(""); }), "end_factor is nan");
  CHECK_REFUSED(with([](auto& o) {
                  o.ema_decay = 0.5;
                  o.ema = warmed_ema(0.5);
                }),
                "ema_decay is 0.5, but it must be 0 where ema has a form");
  CHECK_REFUSED(with([](auto& o) { o.ema = half_life_ema(-1.0); }), "half-life of the average in images is -1");
  CHECK_REFUSED(with([](auto& o) {
                  o.learning_rate_decay = rate_decay::cosine;
                  o.decay_steps = 2;
                }),
                "decay_steps is 2, but it must be 0, or more than warmup_steps");
  CHECK_REFUSED(with([](auto& o) {
                  o.learning_rate_decay = rate_decay::linear;
                  o.warmup_steps = 12;
                }),
                "number of steps over which the learning rate decays is 0, but it must be at least 1");
  CHECK_REFUSED(with([](auto& o) { o.frozen = {"final", "blocks.7"}; }),
                "a prefix of frozen parameters is blocks.7, but it must be the beginning of a parameter's name");
  CHECK_REFUSED(with([](auto& o) { o.frozen = {""}; }), "number of parameters to train is 0");
}
