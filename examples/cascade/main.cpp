// Small images first, then larger ones beside them. A cascade (Ho et al. 2022) draws digits at a quarter of their size,
// by label, and enlarges them twice; a network in the manner of SR3 (Saharia et al. 2021) enlarges a measured digit
// four times at once. Each stage is a U-Net that takes the gain of the signal as its time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

#include "common/interrupt.hpp"
#include "common/run_main.hpp"
#include "common/small_unet.hpp"
#include "judging.hpp"

namespace {

using namespace softscore;

// What a stage draws, and what it sees: sides are those of the data divided by these numbers.
struct stage_kind {
  const char* name;
  std::size_t divisor, beside;  // 0: nothing lies beside x
  bool noisy;                   // whether what lies beside x gets noise, and the network its deviation
  bool labels;                  // whether the network is told the class
};
constexpr std::array<stage_kind, 4> kinds{{{"small", 4, 0, false, true},
                                           {"middle", 2, 4, true, true},
                                           {"large", 1, 2, true, true},
                                           {"enlarge", 1, 4, false, false}}};

struct options {
  std::string data, out{"out/cascade"}, judge;
  std::vector<std::string> stages{"small", "middle", "large", "enlarge"};
  std::size_t epochs{5}, images{}, batch_size{64}, count{100}, shown{10}, steps{100};
  std::vector<std::size_t> widths{16, 32, 32};
  double most_noise{0.4}, noise{0.1};
  std::uint64_t seed{0};
};

const pixel_scale scale{2.0f, -1.0f};  // the networks see [-1, 1]
const corruption noise{scaling{}, linear_beta{}};
using denoiser_type = decltype(epsilon_denoiser{unet<noise_level>{unet_config{}}, noise});

// A progress bar that Ctrl-C ends.
struct watched_bar {
  progress_bar bar{};
  template <class Progress>
  bool operator()(const Progress& at) {
    bar(at);
    return !common::interrupted();
  }
};

data_set load(const options& chosen) {
  if (!chosen.data.empty()) return read_mnist(chosen.data);
  const std::size_t count = chosen.images == 0 ? 10000 : chosen.images;
  return {stroke_digits(count, 1), stroke_digits(count / 8 + 1, 1, 28, count)};
}

image_batch resized(const image_batch& images, std::size_t divisor, const shape& of) {
  image_batch out = bicubic_resize(images, of.height / divisor, of.width / divisor);
  for (float& pixel : out) pixel = std::clamp(pixel, 0.0f, 1.0f);
  return out;
}
image_batch enlarged(const image_batch& images, const shape& to) { return bicubic_resize(images, to.height, to.width); }

// The U-Net of a stage: a level for each factor of 2 between its size and the smallest, attention at the lowest.
unet_config network_of(const stage_kind& kind, const options& chosen, const shape& of) {
  const std::size_t levels = kind.divisor == 4 ? 1 : kind.divisor == 2 ? 2 : 3;
  require(chosen.widths.size() == 3, "number of widths", chosen.widths.size(), "3, one for each size");
  const shape image{1, of.channels, of.height / kind.divisor, of.width / kind.divisor};
  unet_config c =
      common::small_unet(image, {chosen.widths.end() - static_cast<std::ptrdiff_t>(levels), chosen.widths.end()});
  c.beside_channels = kind.beside > 0 ? of.channels : 0;
  c.in_channels += c.beside_channels;
  if (levels == 1) c.layers_per_block = 2;
  c.augment_features = kind.noisy ? 1 : 0;
  if (!kind.labels) {
    c.class_embedding = unet_class::none;
    c.num_class_embeds = unet_config{}.num_class_embeds;
  }
  return c;
}

denoiser_type denoiser_of(const stage_kind& kind, const options& chosen, const shape& of) {
  return epsilon_denoiser{unet<noise_level>{network_of(kind, chosen, of)}, noise};
}
std::filesystem::path file_of(const stage_kind& kind, const options& chosen) {
  return std::filesystem::path{chosen.out} / (std::string{kind.name} + ".safetensors");
}

// A stage's images, and beside each what the network is to see.
labeled_images stage_images(const stage_kind& kind, const labeled_images& all) {
  const shape of = all.extent();
  labeled_images images{resized(all.pixels, kind.divisor, of)};
  if (kind.labels) images.labels = all.labels;
  if (kind.beside == 0) return images;
  images.beside = enlarged(resized(all.pixels, kind.beside, of), extent_of(images.pixels));
  for (float& pixel : images.beside) pixel = scale.gain * pixel + scale.offset;
  return images;
}

// A run may be made longer, but two runs must not be mixed.
void require_same_run(const safetensors_file& file, const training_options& wanted) {
  const auto had = settings_of(read_training_options(file));
  for (const auto& [name, value] : settings_of(wanted))
    if (name != "epochs" && had.at(name) != value)
      throw error(detail::printable(file.path()) + " was trained with " + name + " = " + had.at(name) + " and not " +
                  value + "; choose another folder with --out");
}

void train_stages(const options& chosen) {
  const data_set data = load(chosen);
  const shape of = data.training.extent().with_images(1);
  require(of.height % 4 == 0 && of.width % 4 == 0, "shape of an image", of, "one whose sides are multiples of 4");
  std::filesystem::create_directories(chosen.out);
  tbb_backend backend;
  for (const stage_kind& kind : kinds) {
    if (std::find(chosen.stages.begin(), chosen.stages.end(), kind.name) == chosen.stages.end()) continue;
    denoiser_type denoiser = denoiser_of(kind, chosen, of);
    const data_set seen{stage_images(kind, data.training), stage_images(kind, data.test)};
    const std::size_t steps = seen.training.extent().images / chosen.batch_size;  // of an epoch
    training_options training = common::small_unet_training(chosen.epochs, chosen.batch_size, chosen.seed);
    training.warmup_steps = std::min<std::size_t>(200, steps / 2);
    training.times.stratified = true;
    if (!kind.labels) training.label_dropout = 0.0;
    if (kind.noisy) training.beside_noise = chosen.most_noise;
    training.checkpoint = file_of(kind, chosen);
    std::optional<training_state> from;
    if (std::filesystem::exists(training.checkpoint)) {
      const safetensors_file file{training.checkpoint};
      require_same_run(file, training);
      from = read_checkpoint(file, denoiser.network().layout());
    }
    std::printf("stage %s: %zu parameters\n", kind.name, denoiser.network().parameter_count());
    const auto result = train(backend, denoiser, noise, epsilon_loss{}, seen, training, watched_bar{}, from);
    if (result.stopped) throw common::stopped_by_user{"the same command continues"};
  }
}

denoiser_type trained(const stage_kind& kind, const options& chosen, const shape& of) {
  denoiser_type denoiser = denoiser_of(kind, chosen, of);
  denoiser.network().set_parameters(
      read_parameters(safetensors_file{file_of(kind, chosen)}, denoiser.network().layout()));
  return denoiser;
}

// Back in [0, 1].
image_batch pictures_of(image_batch images) {
  for (float& pixel : images) pixel = std::clamp((pixel - scale.offset) / scale.gain, 0.0f, 1.0f);
  return images;
}
// One below the other, each with as many images.
void write_rows(const std::filesystem::path& path, const std::vector<image_batch>& rows, std::size_t count) {
  const shape one = extent_of(rows.front()).with_images(count);
  auto all = make_tensor(one.with_images(count * rows.size()));
  for (std::size_t k = 0; k < rows.size(); ++k) std::copy_n(rows[k].data(), one.size(), all.data() + k * one.size());
  write_png(path, tiled(all, count));
}
std::string share_of(const image_batch& images, std::span<const class_label> labels, const options& chosen) {
  if (chosen.judge.empty()) return "-";
  return detail::fixed(digits::share_named_right(images, labels, chosen.judge, 0), 4);
}

void draw(const options& chosen) {
  const shape of = chosen.data.empty() ? shape{1, 1, 28, 28} : load(chosen).training.extent().with_images(1);
  tbb_backend backend;
  const denoiser_type first = trained(kinds[0], chosen, of), second = trained(kinds[1], chosen, of),
                      third = trained(kinds[2], chosen, of);
  std::vector<class_label> labels(chosen.count);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<class_label>(i % 10);
  const auto grid = trailing_grid(1000, chosen.steps);
  const auto size = [&](std::size_t k) {
    return shape{1, of.channels, of.height / kinds[k].divisor, of.width / kinds[k].divisor};
  };
  const static_thresholding one{first}, two{second}, three{third};
  cascade_state state;
  const bool done = sample_cascade(backend, {.images = chosen.count, .seed = chosen.seed, .labels = labels}, state,
                                   watched_bar{}, cascade_stage{ddpm{}, noise, one, grid, size(0)},
                                   cascade_stage{ddpm{}, noise, two, grid, size(1), chosen.noise},
                                   cascade_stage{ddpm{}, noise, three, grid, size(2), chosen.noise});
  if (!done) throw common::stopped_by_user{"the same command starts again"};
  const std::filesystem::path out = chosen.out;
  std::vector<image_batch> rows;
  for (const image_batch& images : state.images) rows.push_back(pictures_of(enlarged(pictures_of(images), of)));
  write_rows(out / "cascade.png", rows, std::min(chosen.shown, chosen.count));
  write_npy(out / "cascade.npy", rows.back());
  std::printf("cascade.png: %zu + %zu + %zu evaluations an image; named as asked: %s\n", state.nfe[0], state.nfe[1],
              state.nfe[2], share_of(rows.back(), labels, chosen).c_str());
}

void enlarge(const options& chosen) {
  const data_set data = load(chosen);
  const shape of = data.test.extent().with_images(1);
  const std::size_t count = std::min(chosen.count, data.test.extent().images);
  labeled_images some{make_tensor(of.with_images(count)),
                      {data.test.labels.begin(), data.test.labels.begin() + static_cast<std::ptrdiff_t>(count)}};
  std::copy_n(data.test.pixels.data(), some.pixels.size(), some.pixels.data());
  tbb_backend backend;
  const stage_kind& kind = kinds[3];
  const denoiser_type denoiser = trained(kind, chosen, of);
  const labeled_images seen = stage_images(kind, some);
  sample_options how{.images = count, .seed = chosen.seed, .image = of, .pixels = scale};
  how.given.image = as_view(seen.beside);
  const auto drawn = sample(backend, ddpm{}, noise, static_thresholding{denoiser}, trailing_grid(1000, chosen.steps),
                            how, watched_bar{});
  if (drawn.stopped) throw common::stopped_by_user{"the same command starts again"};
  const image_batch bicubic = pictures_of(seen.beside);
  std::printf("%-10s %11s %7s %7s %12s\n", "", "evaluations", "PSNR", "SSIM", "named right");
  const auto line = [&](const char* name, std::size_t nfe, const image_batch& images) {
    const auto mean = [](const std::vector<double>& v) {
      return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    };
    std::printf("%-10s %11zu %7.2f %7.3f %12s\n", name, nfe, mean(psnr(as_view(images), as_view(some.pixels))),
                mean(ssim(as_view(images), as_view(some.pixels))), share_of(images, some.labels, chosen).c_str());
  };
  line("truth", 0, some.pixels);
  line("bicubic", 0, bicubic);
  line("enlarged", drawn.nfe, drawn.images);
  write_rows(std::filesystem::path{chosen.out} / "enlarged.png", {bicubic, drawn.images, some.pixels},
             std::min(chosen.shown, count));
}

int command_line(int count, char** arguments) {
  options chosen;
  CLI::App app{"draws digits from small to large, and enlarges measured ones four times"};
  app.require_subcommand(1);
  CLI::App* const training = app.add_subcommand("train", "trains the stages; what is there is continued");
  CLI::App* const drawing = app.add_subcommand("sample", "draws digits by label through the three stages");
  CLI::App* const enlarging = app.add_subcommand("enlarge", "enlarges test images four times, beside the bicubic ones");
  for (CLI::App* const command : {training, drawing, enlarging}) {
    command->add_option("--data", chosen.data,
                        "folder with the files of MNIST or Fashion-MNIST (without it: built-in digits)");
    command->add_option("--images", chosen.images, "built-in digits to learn from (10000)");
    command->add_option("--widths", chosen.widths, "channels at the three sizes (16 32 32)")->delimiter(',');
    command->add_option("--seed", chosen.seed, "of all that is drawn (0)");
    command->add_option("--out", chosen.out, "folder of the stages and the pictures (out/cascade)");
    if (command == training) continue;
    command->add_option("--count", chosen.count, "images (100)")->check(CLI::Range(1, 10000));
    command->add_option("--shown", chosen.shown, "how many of them the picture shows (10)")->check(CLI::Range(1, 1000));
    command->add_option("--steps", chosen.steps, "steps of a stage (100)")->check(CLI::Range(1, 1000));
    command->add_option("--judge", chosen.judge, "a classifier, such as examples/judge/mnist.safetensors");
  }
  training->add_option("--stages", chosen.stages, "which to train (small middle large enlarge)")
      ->delimiter(',')
      ->check(CLI::IsMember({"small", "middle", "large", "enlarge"}));
  training->add_option("--epochs", chosen.epochs, "passes over the images (5)")->check(CLI::Range(1, 100000));
  training->add_option("--batch-size", chosen.batch_size, "images per step (64)")->check(CLI::Range(1, 100000));
  training->add_option("--most-noise", chosen.most_noise,
                       "largest deviation of the noise on what a stage sees of the one before, in [-1, 1] (0.4)");
  drawing->add_option("--noise", chosen.noise, "deviation of that noise when images are drawn (0.1)");
  CLI11_PARSE(app, count, arguments);
  if (training->parsed()) train_stages(chosen);
  if (drawing->parsed()) draw(chosen);
  if (enlarging->parsed()) enlarge(chosen);
  return 0;
}

}  // namespace

int main(int count, char** arguments) { return common::run_main("cascade", command_line, count, arguments); }
