#include "checkpoints.hpp"

#include <algorithm>
#include <cmath>

#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>

#include "old_names.hpp"

namespace digits {
namespace {

// A file may claim a network of any size, so the size of the file limits the memory made for it.
void check_size(const softscore::safetensors_file& file, const read_settings& about) {
  const network_choice& network = about.settings.network;
  double claimed = 0.0, before = static_cast<double>(about.image.channels);
  if (network.unet)
    softscore::detail::require_for("network in " + softscore::detail::printable(file.path()), [&] {
      claimed = static_cast<double>(any_network::parameters_of_unet(network, about.image));
    });
  else
    for (const std::size_t width : network.widths) {
      const auto w = static_cast<double>(width);
      claimed += w * (49.0 * before + 2.0 * static_cast<double>(about.image.plane()));
      before = w;
    }
  double there = 0.0;
  for (const auto& name : file.names()) {
    if (!name.starts_with("param/")) continue;
    double elements = 1.0;
    for (const std::size_t n : file.extent(name)) elements *= static_cast<double>(n);
    there += elements;
  }
  softscore::detail::require_file(claimed <= there, file.path(), "the setting network", network_text(network),
                                  "the widths of the parameters in the file");
}

softscore::fitted_prior read_prior(const softscore::safetensors_file& file, const softscore::shape& image) {
  const bool old = !file.contains("prior/mean") && file.contains(std::string{old_prior.before} + "/mean");
  const std::string group{old ? old_prior.before : old_prior.now};
  auto mean = file.tensor<double>(group + "/mean", {image.per_image()});
  auto deviations = file.tensor<double>(group + "/deviations");
  auto modes = file.tensor<double>(group + "/modes", {deviations.size(), mean.size()});
  for (const auto* part : {&mean, &deviations, &modes})
    for (const double number : *part)
      softscore::detail::require_file(std::isfinite(number), file.path(), "a number of the prior", number, "finite");
  return {std::move(mean), std::move(deviations), std::move(modes)};
}

}  // namespace

std::unique_ptr<model> make_model(const run_settings& settings, const softscore::shape& image) {
  return find_recipe(settings.recipe).make(any_network{settings.network, image}, settings.schedule);
}

loaded_model load_checkpoint(const std::filesystem::path& path) {
  const softscore::safetensors_file file{path};
  loaded_model loaded;
  loaded.about = from_metadata(file);
  const auto recipes = all_recipes();
  const auto entry =
      std::ranges::find_if(recipes, [&](const auto& e) { return e.name == loaded.about.settings.recipe; });
  softscore::detail::require_file(entry != recipes.end(), file.path(), "the setting recipe",
                                  softscore::detail::printable(loaded.about.settings.recipe, 80),
                                  "a recipe of this program");
  softscore::detail::require_file(entry->takes_schedule || !loaded.about.settings.schedule, file.path(),
                                  "the setting schedule", "there", "left out for this recipe");
  softscore::detail::require_file(entry->looks_ahead || loaded.about.settings.objective.empty(), file.path(),
                                  "the setting objective", loaded.about.settings.objective, "left out for this recipe");
  check_size(file, loaded.about);
  const auto usual = entry->training();
  loaded.about.settings.training.times = usual.times;
  loaded.about.settings.training.pixels = usual.pixels;
  loaded.made = make_model(loaded.about.settings, loaded.about.image);
  auto& network = loaded.made->network();
  loaded.state = softscore::read_checkpoint(file, network.layout());
  network.set_parameters(loaded.state.average.empty() ? loaded.state.parameters : loaded.state.average);
  if (entry->fits_prior) loaded.made->set_prior(read_prior(file, loaded.about.image));
  return loaded;
}

softscore::checkpoint_extras extras_of(const run_settings& settings, model& m, const std::string& fingerprint) {
  softscore::checkpoint_extras extras{to_metadata(settings, m.network().image(), fingerprint), {}};
  const auto& prior = m.prior();
  if (!prior.zero()) {
    const std::size_t d = prior.mean().size(), k = prior.deviations().size();
    extras.tensors.emplace_back("prior/mean", std::vector{d}, prior.mean());
    extras.tensors.emplace_back("prior/deviations", std::vector{k}, prior.deviations());
    extras.tensors.emplace_back("prior/modes", std::vector{k, d}, prior.modes());
  }
  return extras;
}

}  // namespace digits
