#include "model.hpp"

#include <string>
#include <system_error>
#include <utility>

#include <softscore/core/error.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/diffusers_pipeline.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/nn/unet.hpp>
#include <softscore/objective/epsilon_loss.hpp>

namespace images {

using namespace softscore;

struct model::parts {
  using noising = corruption<scaling, beta_table>;
  using network_type = unet<step_index>;

  parts(network_type network, diffusers_scheduler of)
      : scheduler{std::move(of)}, noise{scheduler.noising()}, denoiser{std::move(network), noise} {}

  diffusers_scheduler scheduler;
  noising noise;
  epsilon_denoiser<network_type, noising> denoiser;
};

namespace {

// The shared estimator of a denoiser, which it keeps.
template <class D>
common::any_denoiser erased(D denoiser) {
  const auto kept = std::make_shared<const D>(std::move(denoiser));
  return common::any_denoiser{[kept](tbb_backend& be, const shape& most) {
    using workspace = workspace_of<D, tbb_backend, float>;
    const auto ws = std::make_shared<workspace>(kept->template workspace<float>(be, most));
    return common::estimator{
        [kept, &be, ws](const condition& q, common::estimator::images x, common::estimator::result out) {
          kept->template estimate<tbb_backend, float>(be, q, x, out, *ws);
        },
        {}};
  }};
}

}  // namespace

model::model(const unet_config& network, const diffusers_scheduler& scheduler)
    : parts_{std::make_unique<parts>(unet<step_index>{network}, scheduler)} {}
model::model(model&&) noexcept = default;
model& model::operator=(model&&) noexcept = default;
model::~model() = default;

const unet_config& model::network() const { return parts_->denoiser.network().settings(); }
shape model::image() const { return shape{parts_->denoiser.image()}.with_images(1); }
std::size_t model::parameter_count() const { return parts_->denoiser.network().parameter_count(); }
std::span<const float> model::parameters() const { return parts_->denoiser.network().parameters(); }
void model::set_parameters(std::span<const float> values) { parts_->denoiser.network().set_parameters(values); }

training_result model::train(tbb_backend& be, const data_set& data, const training_options& options,
                             const training_watch& watch, const std::optional<training_state>& from,
                             const checkpoint_extras& extras) {
  return softscore::train(be, parts_->denoiser, parts_->noise, epsilon_loss{}, data, options, watch, from, extras);
}

common::any_denoiser model::denoiser(double scale) const {
  const pixel_range range = parts_->scheduler.clipping.value_or(pixel_range{-1e6, 1e6});
  if (scale == 1.0) return erased(static_thresholding{parts_->denoiser, range});
  return erased(static_thresholding{classifier_free{parts_->denoiser, scale}, range});
}

void model::save(const std::filesystem::path& folder) const {
  save_diffusers(folder, parts_->denoiser.network(), parts_->scheduler, saved_weights::average);
}

namespace {

// A file may claim a network of any size, so the size of the file limits the memory made for it.
parameter_layout checked_layout(const safetensors_file& file, const unet_config& network) {
  auto layout = unet<step_index>::layout_of(network);
  double there = 0.0;
  for (const auto& name : file.names()) {
    if (!name.starts_with("param/")) continue;
    double elements = 1.0;
    for (const std::size_t n : file.extent(name)) elements *= static_cast<double>(n);
    there += elements;
  }
  detail::require_file(static_cast<double>(layout.count()) <= there, file.path(), "the number of parameters",
                       detail::fixed(there, 0),
                       "that of the network in its settings, " + std::to_string(layout.count()));
  return layout;
}

opened_model open_checkpoint(const std::filesystem::path& path) {
  const safetensors_file file{path};
  run_settings settings = from_metadata(file);
  auto state = read_checkpoint(file, checked_layout(file, settings.network));
  model made{settings.network, settings.scheduler};
  made.set_parameters(state.average.empty() ? state.parameters : state.average);
  return {std::move(made), std::move(settings), std::move(state)};
}

opened_model open_folder(const std::filesystem::path& path) {
  auto pipeline = load_diffusers_pipeline(path);
  run_settings settings;
  settings.scheduler = pipeline.scheduler;
  settings.network = pipeline.network.settings();
  const std::string shown = detail::printable(path.string());
  require(pipeline.scheduler.predicts == prediction::epsilon, "what the network in " + shown + " predicts",
          "something else", "the noise (prediction_type epsilon)");
  require(!pipeline.scheduler.thresholding, "thresholding in " + shown, "true", "false, for estimates are clipped");
  model made{settings.network, settings.scheduler};
  made.set_parameters(pipeline.network.parameters());
  return {std::move(made), std::move(settings), {}};
}

}  // namespace

opened_model open_model(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? open_folder(path) : open_checkpoint(path);
}

model resized(model made, const diffusers_scheduler& scheduler, const shape& image) {
  if (made.network().height == image.height && made.network().width == image.width) return made;
  unet_config network = made.network();
  network.height = image.height;
  network.width = image.width;
  model other{network, scheduler};
  other.set_parameters(made.parameters());
  return other;
}

}  // namespace images
